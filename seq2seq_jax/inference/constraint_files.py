"""Files that say, line by line, how an output begins and which tokens it may use."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from seq2seq_jax.data.readers.text_lines import check_readable, read_lines
from seq2seq_jax.data.tokenizers import Tokenizer
from seq2seq_jax.utils.errors import UserError

__all__ = ["read_constraints"]


Conditions = tuple[list[str] | None, list[list[str] | None] | None]


def read_constraints(
    inference: Mapping[str, Any], tokenizer: Tokenizer
) -> Callable[[int], Conditions]:
    """A function that gives, for the next so many sources, the `prefixes` and `allowed` of
    `Predictor.predict`, from the files `inference.prefix_file` and `inference.allowed_tokens_file`.

    An empty line, in either, leaves its output free.

    Args:
      tokenizer: of the targets.

    Raises:
      UserError: a file cannot be read; later, if it has fewer lines than there are sources.
    """
    files = [inference["prefix_file"], inference["allowed_tokens_file"]]
    for name in filter(None, files):
        check_readable(name, single_pass=True)
    lines = [read_lines(name, single_pass=True) if name else None for name in files]
    taken = 0

    def take(count: int) -> Conditions:
        nonlocal taken
        prefixes, words = (
            None if each is None else _take(each, count, taken, name)
            for each, name in zip(lines, files, strict=True)
        )
        taken += count
        if words is None:
            return prefixes, None
        return prefixes, [tokenizer.split(line) or None for line in words]

    return take


def _take(lines: Iterator[str], count: int, taken: int, name: str) -> list[str]:
    found = list(islice(lines, count))
    if len(found) < count:
        what = f"has {taken + len(found)} lines, and the input has more; it must have one for each"
        raise UserError(name, f"{what}, empty where nothing is asked")
    return found
