"""Byte-pair encoding: words as sequences of subwords (Sennrich et al. 2016, arXiv:1508.07909).

Codes, their file and the subwords are those of subword-nmt, so each can read the other's work.
(Where words have white space inside, a no-break space say, subword-nmt counts some pairs wrongly,
and its codes may differ.)
"nikitin" may become "ni@@ ki@@ tin": `@@` marks a piece that another one follows.
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

CONTINUED = "@@"
LONGEST_WORD = 1000

Pair = tuple[str, str]

_END = "</w>"
_VERSION = "#version:"
_VERSIONS = ("0.1", "0.2")


@dataclasses.dataclass(frozen=True)
class BPECodes:
    """Merges in the order in which they were learnt, each of two symbols.

    Attributes:
      merges: the last symbol of a word carries `</w>`.
      version: of the format. In "0.1", `</w>` is a symbol of its own to begin with; in "0.2" it
        belongs to the last character.
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
        """The subwords of a word that is not empty, without `@@`; joined they are the word."""
        symbols = [*word, _END] if self.version == "0.1" else _symbols(word)
        symbols = _merge_by_rank(symbols, self._ranks)
        symbols[-1] = symbols[-1].removesuffix(_END)
        return symbols if symbols[-1] else symbols[:-1]

    def to_bytes(self) -> bytes:
        """The file of these codes."""
        lines = [f"{_VERSION} {self.version}", *(" ".join(pair) for pair in self.merges)]
        return "".join(f"{line}\n" for line in lines).encode("utf-8")

    def write(self, path: str | os.PathLike) -> None:
        """Writes one merge a line: the whole file or, if this process dies, none of it."""
        atomic_write(path, self.to_bytes())

    @classmethod
    def read(cls, path: str | os.PathLike) -> "BPECodes":
        """Reads codes of version 0.1 or 0.2; a file that does not begin with one is 0.1.

        Raises:
          UserError: the file cannot be read or holds nothing, or (FILE:LINE) a line is not two
            symbols with a blank between them, or the version is another one.
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
                        f"codes of version {version!r}; valid: {', '.join(_VERSIONS)}",
                    )
                continue
            symbols = line.strip("\r ").split(" ")
            if len(symbols) != 2 or not all(symbols):
                raise UserError(
                    f"{name}:{number}",
                    f"{line[:60]!r} is not a merge, which is two symbols with a blank between them",
                )
            merges.append((symbols[0], symbols[1]))
        if not number:
            raise UserError(name, "is empty: codes have a version and then one merge on every line")
        return cls(tuple(merges), version)


def learn_bpe(
    word_counts: Mapping[str, int], num_merges: int, *, min_frequency: int = 2
) -> BPECodes:
    """Learns merges: each time of the most frequent pair of neighbouring symbols.

    Of equally frequent pairs it is the one that sorts last, as in subword-nmt.

    Args:
      word_counts: words, not empty, and how often each occurs.
      num_merges: at most so many.
      min_frequency: stop when no pair occurs so often.

    Words with a blank, a line feed or a carriage return inside, which a file of codes cannot hold,
    and words of more than `LONGEST_WORD` characters teach nothing.
    """
    words = [
        (_symbols(word), count)
        for word, count in word_counts.items()
        if len(word) <= LONGEST_WORD and not any(mark in word for mark in " \n\r")
    ]
    frequency: defaultdict[Pair, int] = defaultdict(int)
    # The words in which a pair is to be found; some of them have lost it again.
    places: defaultdict[Pair, list[int]] = defaultdict(list)
    for index, (symbols, count) in enumerate(words):
        for pair in pairwise(symbols):
            frequency[pair] += count
            places[pair].append(index)
    # Every pair has an entry of at least its frequency. One that has become less frequent since is
    # put back to where it belongs when its turn comes.
    heap = [(-count, _LastFirst(pair)) for pair, count in frequency.items()]
    heapq.heapify(heap)
    merges: list[Pair] = []
    while heap and len(merges) < num_merges:
        negative, pair = heapq.heappop(heap)
        now, then = frequency[pair], -negative
        if now != then:
            if 0 < now < then:
                heapq.heappush(heap, (-now, pair))
            continue
        if now < min_frequency:
            break
        merges.append(tuple(pair))
        for changed, change in _merge_everywhere(pair, words, places).items():
            frequency[changed] += change
            if change > 0:
                heapq.heappush(heap, (-frequency[changed], _LastFirst(changed)))
    return BPECodes(tuple(merges))


def join_pieces(pieces: Sequence[str]) -> list[str]:
    """The words of pieces: one that ends in `@@` draws the next to it. The last stays as it is."""
    words: list[str] = []
    begun = ""
    for piece in pieces[:-1]:
        if piece.endswith(CONTINUED):
            begun += piece.removesuffix(CONTINUED)
        else:
            words.append(begun + piece)
            begun = ""
    return words + [begun + piece for piece in pieces[-1:]]


class _LastFirst(tuple):
    """A pair that a heap gives back before those that sort before it."""

    __lt__ = tuple.__gt__


def _symbols(word: str) -> list[str]:
    return [*word[:-1], word[-1] + _END]


def _merge_everywhere(
    pair: Pair, words: list[tuple[list[str], int]], places: dict[Pair, list[int]]
) -> dict[Pair, int]:
    """Merges a pair in all words, keeps `places` true, and returns how frequencies change."""
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
    merged, i = [], 0
    while i < len(symbols):
        if symbols[i] == first and i + 1 < len(symbols) and symbols[i + 1] == second:
            merged.append(first + second)
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return merged


def _merge_by_rank(symbols: list[str], ranks: Mapping[Pair, int]) -> list[str]:
    """Merges the pairs of the lowest rank from left to right, again and again until none has one.

    Time is in proportion to n log n: a text without blanks is one word, of any length.
    """
    n = len(symbols)
    left, right = list(range(-1, n - 1)), list(range(1, n + 1))  # neighbours that are still there
    heap = [(ranks[pair], i) for i, pair in enumerate(pairwise(symbols)) if pair in ranks]
    heapq.heapify(heap)
    while heap:
        rank, new = heap[0][0], []
        while heap and heap[0][0] == rank:
            _, i = heapq.heappop(heap)
            j = right[i]
            if j == n or ranks.get((symbols[i], symbols[j])) != rank:
                continue  # one of the two has been merged meanwhile
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
