"""Lines in, lines out: one for each, in order, and none kept waiting for the next."""

import os
import select
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, TextIO

from seq2seq_jax.data.text_lines import decode_line


def answer_lines(
    answer: Callable[[Sequence[str]], Sequence[str]],
    source: BinaryIO,
    sink: TextIO,
    *,
    name: str,
    window: int,
) -> int:
    """Writes exactly one line for every line of `source`, in order; returns how many.

    Args:
      answer: texts to texts. It gets as many lines at once as are waiting, at most `window`.
      name: of the source, for errors.

    Raises:
      UserError: a line is not UTF-8 (NAME:LINE); the lines before it have been answered.
    """
    count = 0
    for raw_lines in waiting_lines(source, window):
        lines: list[str] = []
        try:
            for raw in raw_lines:
                lines.append(decode_line(raw, name, count + len(lines) + 1))
        finally:
            for text in answer(lines):
                sink.write(text + "\n")
            sink.flush()
            count += len(lines)
    return count


def waiting_lines(source: BinaryIO, limit: int) -> Iterator[list[bytes]]:
    """Yields lines as they come: all that are waiting, at most `limit` at a time.

    It waits for input only when nothing is left to be yielded: a line typed at a terminal is out
    before the next one is typed.
    """
    descriptor = source.fileno()
    lines: list[bytes] = []
    unfinished: list[bytes] = []
    while chunk := os.read(descriptor, 1 << 16):
        first, *others = chunk.split(b"\n")
        unfinished.append(first)
        for rest in others:
            lines.append(b"".join(unfinished))
            unfinished = [rest]
        while len(lines) >= limit:
            yield lines[:limit]
            lines = lines[limit:]
        if lines and not select.select([descriptor], [], [], 0)[0]:
            yield lines
            lines = []
    if any(unfinished):
        lines.append(b"".join(unfinished))
    while lines:
        yield lines[:limit]
        lines = lines[limit:]
