"""Text that commands read from files or standard input, and files that they write."""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seq2seq_jax.data.readers.tabular_text import format_of_name
from seq2seq_jax.data.readers.text_lines import decode_lines, read_lines
from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import say

STANDARD_INPUT = "<stdin>"


def input_lines(files: Sequence[str]) -> Iterator[str]:
    """Read the lines of files, or of standard input.

    Args:
      files: The files, plain or .gz, or pipes. `-`, or no file, is standard input.

    Yields:
      The lines.

    Raises:
      UserError: A file cannot be read, or a line of it (FILE:LINE) is not UTF-8.
    """
    for file in files or ["-"]:
        yield from standard_input() if file == "-" else read_lines(file, single_pass=True)


def standard_input() -> Iterator[str]:
    """Read the lines of standard input; in a terminal, say that they are expected.

    Yields:
      The lines.

    Raises:
      UserError: A line is not UTF-8.
    """
    if sys.stdin.isatty():
        say("Reading standard input; control-D ends it")
    yield from decode_lines(sys.stdin.buffer, STANDARD_INPUT)


def write_lines(path: str | Path, lines: Iterable[str]) -> None:
    """Write a file atomically, and create its directory.

    Args:
      path: The file.
      lines: The lines, without their ends.

    Raises:
      UserError: The file cannot be written.
    """
    path = Path(path).expanduser()
    with (
        atomic_replace(path) as partial,
        open(partial, "w", encoding="utf-8", newline="\n") as file,
    ):
        file.writelines(f"{line}\n" for line in lines)


def write_table(path: str | Path, rows: Sequence[Sequence[str]]) -> None:
    """Write a table atomically, as .tsv or, if the name says so, .csv; and create its directory.

    Args:
      path: The file.
      rows: The cells of each row.

    Raises:
      UserError: The file cannot be written, or its name ends neither in .tsv nor in .csv.
    """
    file_format = format_of_name(str(path))
    if not file_format or str(path).endswith(".gz"):
        raise UserError(str(path), "must end in .tsv or .csv")
    if file_format == "tsv":
        write_lines(path, ("\t".join(row) for row in rows))
        return
    path = Path(path).expanduser()
    with atomic_replace(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
