"""Reading lines in chunks, in order, without keeping a line waiting for the next one."""

import os
import reprlib
import select
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple, TypeVar

from ml_collections import ConfigDict

from seq2seq_jax.config.feature_rules import reads_features
from seq2seq_jax.data.readers.input_pipeline import Example, TextExample
from seq2seq_jax.data.readers.parallel_text import ParallelTextInputPipeline
from seq2seq_jax.data.readers.text_lines import (
    MAX_LINE_BYTES,
    check_readable,
    decode_line,
    read_lines,
)
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import reason
from seq2seq_jax.utils.logging import say

BATCHES_PER_CHUNK = 16
"""Commands read this many batches of lines at once, so that lines of like length share a batch."""

_T = TypeVar("_T")


def line_chunks(
    path: str | None, limit: int, content: str = "a source text"
) -> Iterator[list[str]]:
    """Read the lines of a file or of standard input as they come.

    At a terminal, a line on standard error says when input is expected.

    Args:
      path: A file, plain or `.gz`; None: standard input.
      limit: Maximum number of lines in a chunk.
      content: What a line has, for the user at a terminal.

    Returns:
      An iterator over chunks: all lines that are available, at most `limit` of them.

    Raises:
      UserError: The file cannot be read. Later, after the lines before it have been yielded: a line
        is not UTF-8 or too long (FILE:LINE).
    """
    if path is None:
        return _stdin_chunks(limit, content)
    check_readable(path, single_pass=True)
    if path.endswith(".gz"):
        return chunked(read_lines(path, single_pass=True), limit)
    return _file_chunks(path, limit)


def describe_source_line(config: ConfigDict) -> str:
    """Return what a line of input has, for the user at a terminal.

    Args:
      config: A resolved configuration.
    """
    return "SOURCE, a tab, and FEATURES" if reads_features(config) else "a source text"


class SourceChunk(NamedTuple):
    """Some sources.

    Attributes:
      texts: The sources.
      features: Their features; None: the model reads none.
    """

    texts: list[str]
    features: list[str] | None


def source_chunks(
    lines: Iterable[list[str]], name: str, limit: int, has_features: bool
) -> Iterator[SourceChunk]:
    """Divide lines into sources and, if the model reads any, features: SOURCE<TAB>FEATURES.

    Args:
      lines: Chunks of lines.
      name: The name of their file, for errors.
      limit: Maximum number of sources in a chunk.
      has_features: Whether the lines have features.

    Yields:
      Chunks of sources.

    Raises:
      UserError: (NAME:LINE) A line has not two columns; the lines before it have been yielded.
    """
    if not has_features:
        yield from (SourceChunk(texts, None) for texts in lines)
        return
    for rows in _split_columns(lines, name, limit, ("source", "features")):
        texts, features = zip(*rows, strict=True)
        yield SourceChunk(list(texts), list(features))


def pair_chunks(
    path: str | None, limit: int, has_features: bool = False
) -> Iterator[list[Example]]:
    """Read lines SOURCE<TAB>TARGET of a file or of standard input as they come.

    Args:
      path: A file, plain or `.gz`; None: standard input.
      limit: Maximum number of pairs in a chunk.
      has_features: Whether a third column has features.

    Returns:
      An iterator over chunks of pairs.

    Raises:
      UserError: As for `line_chunks`; also, a line is not a pair (FILE:LINE).
    """
    columns = ("source", "target", "features") if has_features else ("source", "target")
    content = ", a tab, and ".join(column.upper() for column in columns)
    lines = line_chunks(path, limit, content)
    rows = _split_columns(lines, path or "<stdin>", limit, columns)
    return ([TextExample(*row) for row in chunk] for chunk in rows)


def parallel_chunks(
    sources: str, targets: str, limit: int, features: str = ""
) -> Iterator[list[Example]]:
    """Read pairs from files whose lines correspond.

    Args:
      sources: A file of sources, or several separated by commas.
      targets: As many files of targets.
      limit: Maximum number of pairs in a chunk.
      features: As many files of features; empty: the model reads none.

    Returns:
      An iterator over chunks of pairs.

    Raises:
      UserError: A file cannot be read, or the numbers of lines differ.
    """
    pipeline = ParallelTextInputPipeline(sources, targets, features_files=features, key="score")
    return chunked(pipeline, limit)


def stream_chunks(stream: BinaryIO, name: str, limit: int) -> Iterator[list[str]]:
    """Yield the lines of a stream as they come: all that are available, at most `limit` at a time.

    Args:
      stream: Has a file descriptor, from which everything is read.
      name: Name of the stream, for errors.
      limit: Maximum number of lines in a chunk.

    Yields:
      Chunks of lines.

    Raises:
      UserError: A line is not UTF-8, or too long (NAME:LINE). The lines before it have been
        yielded.
    """
    count = 0
    for raw_lines in _raw_chunks(stream, name, limit):
        yield from chunked(
            (decode_line(raw, name, number) for number, raw in enumerate(raw_lines, count + 1)),
            limit,
        )
        count += len(raw_lines)


def chunked(items: Iterable[_T], limit: int) -> Iterator[list[_T]]:
    """Yield items in lists.

    Args:
      items: The items.
      limit: Maximum number of items in a list.

    Yields:
      Lists of `limit` items, and the rest, even if a UserError ends the items.

    Raises:
      UserError: The one that ended the items, after the rest has been yielded.

    Example:
      >>> list(chunked("abcde", 2))
      [['a', 'b'], ['c', 'd'], ['e']]
    """
    chunk: list[_T] = []
    try:
        for item in items:
            chunk.append(item)
            if len(chunk) == limit:
                yield chunk
                chunk = []
    except UserError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def _raw_chunks(stream: BinaryIO, name: str, limit: int) -> Iterator[list[bytes]]:
    """Yield chunks of lines that are not decoded yet.

    It waits for input only when there is nothing left to yield: a line typed at a terminal is
    yielded before the next one is typed.
    """
    descriptor = stream.fileno()
    lines: list[bytes] = []
    unfinished: list[bytes] = []
    count = length = 0
    while block := _read_block(descriptor, name):
        first, *others = block.split(b"\n")
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


def _stdin_chunks(limit: int, content: str) -> Iterator[list[str]]:
    if sys.stdin.isatty():
        say(f"Ready: type {content} and press Enter; press Ctrl-D to end.")
    yield from stream_chunks(sys.stdin.buffer, "<stdin>", limit)


def _read_block(descriptor: int, name: str) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError as error:
        raise UserError(name, f"cannot be read ({reason(error)})") from error


def _file_chunks(path: str, limit: int) -> Iterator[list[str]]:
    with open(path, "rb") as file:
        yield from stream_chunks(file, path, limit)


def _split_columns(
    chunks: Iterable[list[str]], name: str, limit: int, columns: Sequence[str]
) -> Iterator[list[list[str]]]:
    count = 0
    for lines in chunks:
        rows = (
            _split_line(line, f"{name}:{number}", columns)
            for number, line in enumerate(lines, count + 1)
        )
        yield from chunked(rows, limit)
        count += len(lines)


def _split_line(line: str, where: str, columns: Sequence[str]) -> list[str]:
    row = line.split("\t")
    if len(row) != len(columns):
        rule = f"it must be {', tab, '.join(columns)}"
        raise UserError(where, f"{reprlib.repr(line)} has {len(row) - 1} tabs; {rule}")
    return row
