"""Lines of UTF-8 text files, plain or gzipped.

A line ends at a line feed and nowhere else: the other characters that Unicode calls line
separators (U+0085, U+2028, a form feed, ...) are part of their line, as they are for `wc` and
every tool that made the file. A carriage return before the line feed and a byte order mark
before the first line are dropped.
"""

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from seq2seq_jax.errors import UserError


def read_lines(path: str | os.PathLike) -> Iterator[str]:
    """Yields the lines of a file without their ends; a `.gz` file is unpacked on the way.

    Raises:
      UserError: the file cannot be read, or a line of it is not UTF-8 (FILE:LINE).
    """
    name = os.fspath(path)
    try:
        with _open(name) as file:
            for number, raw in enumerate(file, start=1):
                yield decode_line(raw, name, number)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(name, f"cannot be read ({_reason(error)})") from error


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
            "convert the file to UTF-8",
        ) from error
    if number == 1:
        line = line.removeprefix("\ufeff")
    return line.removesuffix("\n").removesuffix("\r")


def check_readable(path: str) -> None:
    """Raises UserError if the file is missing or may not be read, before any of it is needed."""
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise UserError(path, f"cannot be read ({_reason(error)})") from error


def _open(name: str) -> BinaryIO:
    if name.endswith(".gz"):
        # GzipFile reads a line in Python; a buffer above it does so in C.
        return io.BufferedReader(cast(io.RawIOBase, gzip.open(name, "rb")), 1 << 16)
    return open(name, "rb")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
