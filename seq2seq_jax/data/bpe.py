"""Byte-pair encoding: words as sequences of subwords (Sennrich et al. 2016, arXiv:1508.07909).

"nikitin" may become "ni@@ ki@@ tin": `@@` marks a piece that another piece of the word follows.

The codes, their file format and the subwords are those of subword-nmt, so that each program can
read the files of the other. If words contain white space, such as a no-break space, subword-nmt
counts some pairs incorrectly, and its codes can differ.
"""

import dataclasses
import heapq
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from seq2seq_jax.data.readers.text_lines import read_lines
from seq2seq_jax.utils.atomic_io import atomic_write
from seq2seq_jax.utils.errors import UserError

CONTINUATION = "@@"
"""The end of a piece that another piece of the same word follows."""

MAX_WORD_LENGTH = 1000
"""Characters; nothing is learned from longer words."""

Pair = tuple[str, str]

_END = "</w>"
_VERSION = "#version:"
_VERSIONS = ("0.1", "0.2")


@dataclasses.dataclass(frozen=True)
class BPECodes:
    """Merges in the order in which they were learned.

    Attributes:
      merges: Pairs of symbols; `</w>` marks the end of a word.
      version: Version of the format. In "0.1", `</w>` is initially a separate symbol; in "0.2" it
        is part of the last character.
    """

    merges: tuple[Pair, ...]
    version: str = "0.2"
    _ranks: dict[Pair, int] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ranks: dict[Pair, int] = {}
        for pair in self.merges:
            ranks.setdefault(pair, len(ranks))
        object.__setattr__(self, "_ranks", ranks)

    def segment(self, word: str) -> list[str]:
        """Split a word into subwords.

        Args:
          word: Not empty.

        Returns:
          Subwords without `@@`; joined, they are the word.

        Example:
          >>> BPECodes((("t", "i"), ("ti", "n</w>"))).segment("nikitin")
          ['n', 'i', 'k', 'i', 'tin']
        """
        symbols = [*word, _END] if self.version == "0.1" else _symbols(word)
        symbols = _merge_by_rank(symbols, self._ranks)
        symbols[-1] = symbols[-1].removesuffix(_END)
        return symbols if symbols[-1] else symbols[:-1]

    def to_bytes(self) -> bytes:
        """Return the content of a file with these codes."""
        lines = [f"{_VERSION} {self.version}", *(" ".join(pair) for pair in self.merges)]
        return "".join(f"{line}\n" for line in lines).encode("utf-8")

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a file with one merge per line, atomically.

        Args:
          path: The name of the file.
        """
        atomic_write(path, self.to_bytes())

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "BPECodes":
        """Read a file of codes of version 0.1 or 0.2; without a version line it is 0.1.

        Args:
          path: The name of the file.

        Returns:
          The codes.

        Raises:
          UserError: The file cannot be read or is empty, or (FILE:LINE) a line is not two symbols
            separated by a space, or the version is another one.
        """
        name = os.fspath(path)
        version, merges = "0.1", []
        number = 0
        for number, line in enumerate(read_lines(name), start=1):
            if number == 1 and line.startswith(_VERSION):
                version = line.removeprefix(_VERSION).strip()
                if version not in _VERSIONS:
                    raise UserError(
                        f"{name}:1",
                        f"unknown version {version!r} of BPE codes; valid: {', '.join(_VERSIONS)}",
                    )
                continue
            symbols = line.strip("\r ").split(" ")
            if len(symbols) != 2 or not all(symbols):
                raise UserError(
                    f"{name}:{number}",
                    f"a merge must be two symbols separated by a space; got {line[:60]!r}",
                )
            merges.append((symbols[0], symbols[1]))
        if not number:
            raise UserError(
                name, "is empty; BPE codes have a version line and then one merge per line"
            )
        return cls(tuple(merges), version)


def learn_bpe(
    word_counts: Mapping[str, int], num_merges: int, *, min_frequency: int = 2
) -> BPECodes:
    """Learn merges; each one joins the most frequent pair of adjacent symbols.

    Of equally frequent pairs it is the one that sorts last, as in subword-nmt. Nothing is learned
    from words with a space, a line feed or a carriage return, which a file of codes cannot hold,
    and from words of more than `MAX_WORD_LENGTH` characters.

    Args:
      word_counts: Words, which are not empty, and how often each occurs.
      num_merges: Largest number of merges.
      min_frequency: Stop when no pair occurs this often.

    Returns:
      The codes.

    Example:
      >>> codes = learn_bpe({"low": 5, "lower": 2, "lowest": 3}, num_merges=3)
      >>> codes.merges
      (('l', 'o'), ('w', 'e'), ('lo', 'we'))
    """
    words = [
        (_symbols(word), count)
        for word, count in word_counts.items()
        if len(word) <= MAX_WORD_LENGTH and not any(mark in word for mark in " \n\r")
    ]
    frequency: defaultdict[Pair, int] = defaultdict(int)
    # The words that contain a pair; later merges may have removed it from some of them.
    places: defaultdict[Pair, list[int]] = defaultdict(list)
    for index, (symbols, count) in enumerate(words):
        for pair in pairwise(symbols):
            frequency[pair] += count
            places[pair].append(index)
    # Every pair has an entry with at least its frequency. An entry whose pair has become less
    # frequent is put back with its new frequency when it is popped.
    heap: list[tuple[int, _LastFirst]] = [
        (-count, _LastFirst(pair)) for pair, count in frequency.items()
    ]
    heapq.heapify(heap)
    merges: list[Pair] = []
    while heap and len(merges) < num_merges:
        negative, entry = heapq.heappop(heap)
        pair = entry[0], entry[1]
        current, entered = frequency[pair], -negative
        if current != entered:
            if 0 < current < entered:
                heapq.heappush(heap, (-current, entry))
            continue
        if current < min_frequency:
            break
        merges.append(pair)
        for changed, change in _merge_everywhere(pair, words, places).items():
            frequency[changed] += change
            if change > 0:
                heapq.heappush(heap, (-frequency[changed], _LastFirst(changed)))
    return BPECodes(tuple(merges))


def join_pieces(pieces: Sequence[str]) -> list[str]:
    """Join the pieces of each word.

    Args:
      pieces: Subwords; one that ends in `@@` belongs to the same word as the next. The last one
        stays as it is.

    Returns:
      Words.

    Example:
      >>> join_pieces(["ni@@", "ki@@", "tin", "."])
      ['nikitin', '.']
    """
    words: list[str] = []
    prefix = ""
    for piece in pieces[:-1]:
        if piece.endswith(CONTINUATION):
            prefix += piece.removesuffix(CONTINUATION)
        else:
            words.append(prefix + piece)
            prefix = ""
    return words + [prefix + piece for piece in pieces[-1:]]


class _LastFirst(tuple[str, ...]):
    """A pair that a heap returns before those that sort before it."""

    __lt__ = tuple.__gt__


def _symbols(word: str) -> list[str]:
    return [*word[:-1], word[-1] + _END]


def _merge_everywhere(
    pair: Pair, words: list[tuple[list[str], int]], places: dict[Pair, list[int]]
) -> dict[Pair, int]:
    """Merge a pair in all words, update `places`, and return the changes of the frequencies."""
    first, second = pair
    changes: defaultdict[Pair, int] = defaultdict(int)
    for index in places.pop(pair):
        symbols, count = words[index]
        merged = _merge(symbols, first, second)
        if len(merged) == len(symbols):
            continue
        words[index] = merged, count
        for old in pairwise(symbols):
            changes[old] -= count
        for new in pairwise(merged):
            changes[new] += count
            if first + second in new:
                places[new].append(index)
    return {changed: change for changed, change in changes.items() if change}


def _merge(symbols: list[str], first: str, second: str) -> list[str]:
    merged: list[str] = []
    i = 0
    while i < len(symbols):
        if symbols[i] == first and i + 1 < len(symbols) and symbols[i + 1] == second:
            merged.append(first + second)
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return merged


def _merge_by_rank(symbols: list[str], ranks: Mapping[Pair, int]) -> list[str]:
    """Merge the pairs of the lowest rank from left to right, until no pair has a rank.

    The time is O(n log n), because a text without spaces is one word of any length.
    """
    n = len(symbols)
    left, right = list(range(-1, n - 1)), list(range(1, n + 1))  # remaining neighbours
    heap = [(ranks[pair], i) for i, pair in enumerate(pairwise(symbols)) if pair in ranks]
    heapq.heapify(heap)
    while heap:
        rank = heap[0][0]
        new: list[int] = []
        while heap and heap[0][0] == rank:
            _, i = heapq.heappop(heap)
            j = right[i]
            if j == n or ranks.get((symbols[i], symbols[j])) != rank:
                continue  # one of the two has been merged
            symbols[i] += symbols[j]
            symbols[j] = ""
            right[i] = right[j]
            if right[i] < n:
                left[right[i]] = i
            new += [left[i], i]
        for i in new:
            if i >= 0 and right[i] < n:
                pair = symbols[i], symbols[right[i]]
                if pair in ranks:
                    heapq.heappush(heap, (ranks[pair], i))
    return [symbol for symbol in symbols if symbol]
