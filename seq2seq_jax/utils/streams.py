"""Standard input, output and error that fail in one line.

The log on standard error is not the work: if nothing can be written to it (its reader has gone,
the disk is full), the program continues without a log. Results on standard output are the work: if
they cannot be written, the program ends with an error. A reader that closes standard output, such
as `head`, has read enough and ends the program without one.
"""

import io
import os
import sys
from typing import Any

from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import reason


class OutputClosedError(Exception):
    """The reader of standard output has closed it."""


def set_up_streams() -> None:
    """Replace the standard output and error of this process; closed streams are opened.

    A closed stream would be `None`, and the next file that the program opens would receive its
    descriptor. It is replaced by one that cannot be read or written.
    """
    if sys.stdin is None:
        _open_null(0, os.O_WRONLY)
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    if sys.stdout is None:
        _open_null(1, os.O_RDONLY)
    if sys.stderr is None:
        _open_null(2, os.O_WRONLY)
    sys.stdout = _text_writer(_Output(1, "w", closefd=False), "surrogateescape")
    sys.stderr = _text_writer(_Log(2, "w", closefd=False), "backslashreplace", line_buffering=True)


def flush_output() -> None:
    """Write what standard output has buffered, or drop it if that fails.

    Raises:
      UserError: It cannot be written.
      OutputClosedError: Its reader has closed it.
    """
    try:
        sys.stdout.flush()
    except (UserError, OutputClosedError):
        _open_null(sys.stdout.fileno(), os.O_WRONLY)  # It is flushed again when the program ends.
        raise


class _Output(io.FileIO):
    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError as error:
            raise OutputClosedError from error
        except OSError as error:
            raise UserError("standard output", f"cannot be written ({reason(error)})") from error


class _Log(io.FileIO):
    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            _open_null(self.fileno(), os.O_WRONLY)
            return len(data)


def _text_writer(raw: io.FileIO, errors: str, line_buffering: bool = False) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding="utf-8",
        errors=errors,
        line_buffering=line_buffering or raw.isatty(),
    )


def _open_null(descriptor: int, flags: int) -> None:
    """Open the null device under this descriptor."""
    opened = os.open(os.devnull, flags)
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)
    os.set_inheritable(descriptor, True)
