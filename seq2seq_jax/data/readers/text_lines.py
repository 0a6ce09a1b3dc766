"""Lines of UTF-8 text files, plain or gzipped.

A line ends at a line feed and nowhere else: the other characters that Unicode calls line
separators (U+0085, U+2028, a form feed, ...) are part of their line, as they are for `wc` and
every tool that made the file. A carriage return before the line feed and a byte order mark
before the first line are dropped.
"""

import functools
import gzip
import hashlib
import io
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from seq2seq_jax.utils.errors import UserError

LONGEST_LINE = 1 << 24
"""Bytes. What goes on for longer without a line feed is no text, and would fill the memory."""


def read_lines(path: str | os.PathLike, *, once: bool = False) -> Iterator[str]:
    """Yields the lines of a file without their ends; a `.gz` file is unpacked on the way.

    Args:
      once: the caller reads this file a single time, so that a pipe would do.

    Raises:
      UserError: the file cannot be read, changes its size meanwhile or is a pipe, or (FILE:LINE) a
        line of it is not UTF-8 or is longer than `LONGEST_LINE`.
    """
    name = os.fspath(path)
    with _open(name, once) as file:
        yield from decode_lines(file, name)


def decode_lines(file: BinaryIO, name: str) -> Iterator[str]:
    """Yields the lines of an open file, standard input say, as `read_lines` does.

    Args:
      name: of the file, for error messages.
    """
    number = 0
    try:
        readline = functools.partial(file.readline, LONGEST_LINE + 1)
        for number, raw in enumerate(iter(readline, b""), start=1):
            if len(raw) > LONGEST_LINE:
                raise UserError(
                    f"{name}:{number}",
                    f"longer than {LONGEST_LINE:,} bytes; text has a line feed after every line",
                )
            yield decode_line(raw, name, number)
    except (OSError, EOFError, zlib.error) as error:
        behind = f"; line {number} is the last that can be" if number else ""
        raise UserError(name, f"cannot be read ({_reason(error)}){behind}") from error


def decode_line(raw: bytes, name: str, number: int) -> str:
    """Turns line `number` (from 1) of the file `name` into text, its end taken off.

    Raises:
      UserError: the line is not UTF-8.
    """
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name}:{number}",
            f"not UTF-8 (byte 0x{raw[error.start]:02x} at column {error.start + 1}); "
            + _remedy(raw, number),
        ) from error
    if number == 1:
        line = line.removeprefix("\ufeff")
    return line.removesuffix("\n").removesuffix("\r")


def check_readable(path: str, *, once: bool = False) -> None:
    """Raises UserError if the file is missing or may not be read, before any of it is needed.

    Args:
      once: as in `read_lines`; without it a pipe is an error.
    """
    if once and Path(path).is_fifo():  # whose writer would not wait for a second opening
        return
    _open_bytes(path, once).close()


def file_digest(path: str | os.PathLike) -> str:
    """SHA-256 of the bytes of a file, in hexadecimal digits.

    Raises:
      UserError: the file cannot be read.
    """
    name = os.fspath(path)
    with _open_bytes(name, once=False) as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UserError(name, f"cannot be read ({_reason(error)})") from error


class _File(io.FileIO):
    """A file that must not change its size while it is read.

    What is still being written would differ from one pass to the next, and its last line is cut.
    """

    def __init__(self, name: str):
        super().__init__(name)
        status = os.fstat(self.fileno())
        self.size = status.st_size
        self._is_regular = stat.S_ISREG(status.st_mode)
        self._read = 0

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer) or 0
        self._read += count
        at_end = count == 0 and len(buffer) > 0
        if self._is_regular and (self._read > self.size or (at_end and self._read < self.size)):
            raise UserError(
                str(self.name),
                f"had {self.size:,} bytes when it was opened and has"
                f" {os.fstat(self.fileno()).st_size:,} now: something is writing to it;"
                " wait until it is complete, or give a copy",
            )
        return count


def _open(name: str, once: bool) -> BinaryIO:
    file = _open_bytes(name, once)
    if not name.endswith(".gz"):
        return file
    if file.peek(1) == b"":  # which GzipFile would take for a file without lines
        file.close()
        raise UserError(name, "cannot be read (empty, which no gzip file is)")
    # GzipFile reads a line in Python; a buffer above it does so in C.
    unpacked = cast(io.RawIOBase, gzip.GzipFile(fileobj=file, mode="rb"))
    return _Unpacked(unpacked, file)


def _open_bytes(name: str, once: bool) -> io.BufferedReader:
    try:
        # Before opening it: that would wait for somebody to write into the pipe.
        if not once:
            _check_kind(name)
        return io.BufferedReader(_File(name), 1 << 16)
    except (OSError, ValueError) as error:  # ValueError: the name has a NUL character
        raise UserError(name, f"cannot be read ({_reason(error)})") from error


class _Unpacked(io.BufferedReader):
    """Closes the packed file as well, which GzipFile leaves open."""

    def __init__(self, unpacked: io.RawIOBase, packed: BinaryIO):
        super().__init__(unpacked, 1 << 16)
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


def _check_kind(name: str) -> None:
    mode = os.stat(name).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a folder is refused by `open`
        kind = "pipe" if stat.S_ISFIFO(mode) else "device"
        raise UserError(
            name,
            f"is a {kind}, which can be read only once, but this is read several times;"
            " write it to a file and give that",
        )


def _remedy(raw: bytes, number: int) -> str:
    if number == 1 and raw.startswith(b"\x1f\x8b"):
        return "it is a gzip file: give it a name that ends in .gz"
    return "convert the file to UTF-8"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
