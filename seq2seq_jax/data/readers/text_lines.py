"""Lines of UTF-8 text files, plain or gzipped.

A line ends only at a line feed. Other characters that Unicode calls line separators (U+0085,
U+2028, a form feed, ...) are part of their line, as they are for `wc` and most other tools. A
carriage return before the line feed and a byte order mark before the first line are removed.
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

MAX_LINE_BYTES = 1 << 24
"""Longer lines are an error: a file without line feeds is not text and would fill the memory."""


def read_lines(path: str | os.PathLike[str], *, single_pass: bool = False) -> Iterator[str]:
    """Yield the lines of a file without their line ends; a `.gz` file is decompressed.

    Args:
      path: The name of the file.
      single_pass: The caller reads this file only once, so it can be a pipe.

    Yields:
      The lines.

    Raises:
      UserError: The file cannot be read, changes its size while it is read, or is a pipe; or
        (FILE:LINE) a line is not UTF-8 or is longer than `MAX_LINE_BYTES`.
    """
    name = os.fspath(path)
    file = open_bytes(name, single_pass=single_pass)
    with decompress(file, name) if name.endswith(".gz") else file as content:
        yield from decode_lines(content, name)


def decode_lines(file: BinaryIO, name: str) -> Iterator[str]:
    """Yield the lines of an open file, such as standard input, as `read_lines` does.

    Args:
      file: The file, open for reading bytes.
      name: Its name, for error messages.

    Yields:
      The lines.

    Raises:
      UserError: As `read_lines`.
    """
    number = 0
    try:
        readline = functools.partial(file.readline, MAX_LINE_BYTES + 1)
        for number, raw in enumerate(iter(readline, b""), start=1):
            if len(raw) > MAX_LINE_BYTES:
                raise UserError(
                    f"{name}:{number}",
                    f"longer than {MAX_LINE_BYTES:,} bytes; text has a line feed after every line",
                )
            yield decode_line(raw, name, number)
    except (OSError, EOFError, zlib.error) as error:
        readable = f"; line {number} is the last readable line" if number else ""
        raise UserError(name, f"cannot be read ({_reason(error)}){readable}") from error


def decode_line(raw: bytes, name: str, number: int) -> str:
    """Decode a line and remove its line end.

    Args:
      raw: The bytes of the line.
      name: The name of the file, for error messages.
      number: The number of the line, from 1.

    Returns:
      The text.

    Raises:
      UserError: The line is not UTF-8.
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


def check_readable(path: str, *, single_pass: bool = False, key: str = "") -> None:
    """Check that a file can be opened, before its content is needed.

    Args:
      path: The name of the file.
      single_pass: As in `read_lines`; otherwise a pipe is an error.
      key: The key or flag that names the file, for the error.

    Raises:
      UserError: The file is missing or cannot be opened.
    """
    if single_pass and Path(path).is_fifo():  # its writer would not wait until it is opened again
        return
    try:
        open_bytes(path, single_pass=single_pass).close()
    except UserError as error:
        raise (UserError(key, str(error)) if key else error) from error


def file_digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of the bytes of a file, in hexadecimal digits.

    Args:
      path: The name of the file.

    Returns:
      64 digits.

    Raises:
      UserError: The file cannot be read.
    """
    name = os.fspath(path)
    with open_bytes(name) as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UserError(name, f"cannot be read ({_reason(error)})") from error


def open_bytes(path: str | os.PathLike[str], *, single_pass: bool = False) -> io.BufferedReader:
    """Open a file of bytes that must not change its size while it is read.

    Args:
      path: The name of the file.
      single_pass: As in `read_lines`; otherwise a pipe is an error.

    Returns:
      The file. Reading it raises UserError if its size changes.

    Raises:
      UserError: The file is missing or cannot be opened.
    """
    name = os.fspath(path)
    try:
        # Checked before the file is opened, because opening a pipe waits for its writer.
        if not single_pass:
            _check_kind(name)
        return io.BufferedReader(_File(name), 1 << 16)
    except (OSError, ValueError) as error:  # ValueError: the name has a NUL character
        raise UserError(name, f"cannot be read ({_reason(error)})") from error


def decompress(file: io.BufferedReader, name: str) -> BinaryIO:
    """Decompress a gzip file; closing the result also closes the file.

    Args:
      file: The open file.
      name: Its name, for the error message.

    Returns:
      The decompressed file.

    Raises:
      UserError: The file is empty.
    """
    if file.peek(1) == b"":  # GzipFile would read it as a file without content
        file.close()
        raise UserError(name, "cannot be read (it is empty, so it is not a gzip file)")
    # GzipFile reads lines in Python; a buffer around it does so in C.
    return _Decompressed(cast(io.RawIOBase, gzip.GzipFile(fileobj=file, mode="rb")), file)


class _File(io.FileIO):
    """A file that must not change its size while it is read.

    A file that is still being written would differ between passes, and its last line is incomplete.
    """

    def __init__(self, name: str) -> None:
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
                " wait until it is complete, or use a copy",
            )
        return count


class _Decompressed(io.BufferedReader):
    """A reader that also closes the compressed file, which GzipFile leaves open."""

    def __init__(self, decompressed: io.RawIOBase, compressed: BinaryIO) -> None:
        super().__init__(decompressed, 1 << 16)
        self._compressed = compressed

    def close(self) -> None:
        super().close()
        self._compressed.close()


def _check_kind(name: str) -> None:
    mode = os.stat(name).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # `open` rejects a directory
        kind = "pipe" if stat.S_ISFIFO(mode) else "device"
        raise UserError(
            name,
            f"is a {kind}, which can be read only once, but this input is read several times;"
            " use a file",
        )


def _remedy(raw: bytes, number: int) -> str:
    if number == 1 and raw.startswith(b"\x1f\x8b"):
        return "it is a gzip file; use a name that ends in .gz"
    return "convert the file to UTF-8"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
