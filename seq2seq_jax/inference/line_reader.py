"""Lines in, lines out: one for each, in order, and none kept waiting for the next."""

import os
import select
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, TextIO, TypeVar

from seq2seq_jax.data.readers.text_lines import (
    MAX_LINE_BYTES,
    check_readable,
    decode_line,
    read_lines,
)
from seq2seq_jax.utils.errors import UserError

__all__ = ["answer_lines", "in_windows", "input_windows", "text_windows", "waiting_lines"]

_T = TypeVar("_T")


def answer_lines(
    answer: Callable[[Sequence[str]], Sequence[str]],
    windows: Iterable[Sequence[str]],
    sink: TextIO,
) -> int:
    """Writes what `answer` makes of each window of lines, a line for each; returns how many."""
    count = 0
    for lines in windows:
        for text in answer(lines):
            sink.write(text + "\n")
        sink.flush()
        count += len(lines)
    return count


def input_windows(path: str | None, limit: int) -> Iterator[list[str]]:
    """`text_windows` of a file, plain or `.gz`, or of standard input.

    Raises:
      UserError: at once, if the file cannot be read.
    """
    if path is None:
        return text_windows(sys.stdin.buffer, "<stdin>", limit)
    check_readable(path, single_pass=True)
    if path.endswith(".gz"):
        return in_windows(read_lines(path, single_pass=True), limit)
    return _windows_of_file(path, limit)


def text_windows(source: BinaryIO, name: str, limit: int) -> Iterator[list[str]]:
    """Yields lines as they come: all that are waiting, at most `limit` at a time.

    Args:
      source: has a file descriptor, from which alone is read.
      name: of the source, for errors.

    Raises:
      UserError: a line is not UTF-8, or too long (NAME:LINE); those before it have been yielded.
    """
    count = 0
    for raw_lines in waiting_lines(source, name, limit):
        yield from in_windows(
            (decode_line(raw, name, number) for number, raw in enumerate(raw_lines, count + 1)),
            limit,
        )
        count += len(raw_lines)


def in_windows(lines: Iterable[_T], limit: int) -> Iterator[list[_T]]:
    """Yields `limit` lines at a time, and those that are left: also where an error ends them, which
    is raised then."""
    window: list[_T] = []
    try:
        for line in lines:
            window.append(line)
            if len(window) == limit:
                yield window
                window = []
    except UserError:
        if window:
            yield window
        raise
    if window:
        yield window


def waiting_lines(source: BinaryIO, name: str, limit: int) -> Iterator[list[bytes]]:
    """As `text_windows`, of lines that are not decoded yet.

    It waits for input only when nothing is left to be yielded: a line typed at a terminal is out
    before the next one is typed.
    """
    descriptor = source.fileno()
    lines: list[bytes] = []
    unfinished: list[bytes] = []
    count = length = 0
    while chunk := os.read(descriptor, 1 << 16):
        first, *others = chunk.split(b"\n")
        unfinished.append(first)
        for rest in others:
            lines.append(b"".join(unfinished))
            unfinished, length = [rest], 0
            count += 1
        length += len(unfinished[-1])
        while len(lines) >= limit:
            yield lines[:limit]
            lines = lines[limit:]
        if lines and not select.select([descriptor], [], [], 0)[0]:
            yield lines
            lines = []
        if length > MAX_LINE_BYTES:
            if lines:
                yield lines
            raise UserError(
                f"{name}:{count + 1}",
                f"longer than {MAX_LINE_BYTES:,} bytes; text has a line feed after every line",
            )
    if any(unfinished):
        lines.append(b"".join(unfinished))
    while lines:
        yield lines[:limit]
        lines = lines[limit:]


def _windows_of_file(path: str, limit: int) -> Iterator[list[str]]:
    with open(path, "rb") as file:
        yield from text_windows(file, path, limit)
