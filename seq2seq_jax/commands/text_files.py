"""Text that commands read, from files or standard input, and files that they write."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seq2seq_jax.data.readers.text_lines import decode_lines, read_lines
from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import say

STANDARD_INPUT = "<stdin>"


def input_lines(files: Sequence[str]) -> Iterator[str]:
    """Yields the lines of files, plain or .gz, pipes too; without files, and for `-`, those of
    standard input.

    Raises:
      UserError: a file cannot be read, or (FILE:LINE) is not UTF-8.
    """
    for file in files or ["-"]:
        yield from standard_input() if file == "-" else read_lines(file, single_pass=True)


def standard_input() -> Iterator[str]:
    """Yields its lines; says that they are waited for where a person would have to type them."""
    if sys.stdin.isatty():
        say("reading standard input; control-D ends it")
    yield from decode_lines(sys.stdin.buffer, STANDARD_INPUT)


def write_lines(path: str | Path, lines: Iterable[str]) -> None:
    """Writes a file, all of it or, if this process dies, none; makes the folders that it needs.

    Raises:
      UserError: it cannot be written.
    """
    path = Path(path).expanduser()
    if path.exists() and not path.is_file():  # /dev/null, say, is not to be replaced
        raise UserError(str(path), "cannot be written (not a regular file)")
    try:
        with (
            atomic_replace(path) as partial,
            open(partial, "w", encoding="utf-8", newline="\n") as file,
        ):
            file.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        raise UserError(str(path), f"cannot be written ({error.strerror or error})") from error
