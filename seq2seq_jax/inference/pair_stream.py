"""Pairs of source and target to be scored, from one file of two columns or from two files."""

import reprlib
from collections.abc import Iterator, Sequence

from seq2seq_jax.data.readers.input_pipeline import TextPair
from seq2seq_jax.data.readers.parallel_text import ParallelTextInputPipeline
from seq2seq_jax.inference.line_reader import in_windows, input_windows
from seq2seq_jax.utils.errors import UserError

__all__ = ["column_windows", "file_windows"]


def column_windows(path: str | None, limit: int) -> Iterator[list[TextPair]]:
    """Yields pairs as their lines come, source, tab, target, at most `limit` at a time.

    Args:
      path: of a file, plain or `.gz`; None for standard input.

    Raises:
      UserError: at once, if the file cannot be read; after the pairs before it, for a line that is
        no pair (FILE:LINE).
    """
    return _split(input_windows(path, limit), path or "<stdin>", limit)


def file_windows(sources: str, targets: str, limit: int) -> Iterator[list[TextPair]]:
    """As `column_windows`, of lines i of two files; or of two lists of files, with commas."""
    pairs = ParallelTextInputPipeline(sources, targets, key="score")
    return in_windows(pairs, limit)


def _split(windows: Iterator[Sequence[str]], name: str, limit: int) -> Iterator[list[TextPair]]:
    count = 0
    for lines in windows:
        yield from in_windows(
            (_pair(line, f"{name}:{number}") for number, line in enumerate(lines, count + 1)), limit
        )
        count += len(lines)


def _pair(line: str, where: str) -> TextPair:
    columns = line.split("\t")
    if len(columns) != 2:
        what = f"{reprlib.repr(line)} has {len(columns) - 1} tabs; it must be source, tab, target"
        raise UserError(where, what)
    return TextPair(*columns)
