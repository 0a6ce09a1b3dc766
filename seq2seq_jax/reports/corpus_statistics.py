"""Statistics of a corpus: sizes, lengths, tokens, and suspicious content."""

import dataclasses
import hashlib
import reprlib
import unicodedata
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from seq2seq_jax.data.readers.input_pipeline import Example
from seq2seq_jax.utils.logging import progress_count

Split = Callable[[str], list[str]]

QUANTILES = (0, 5, 25, 50, 75, 95, 99, 100)
UNBALANCED = 3
"""The factor by which a pair's length ratio may differ from the median."""


class SideStatistics(NamedTuple):
    """Statistics of all sources, or of all targets.

    Attributes:
      lengths: [N] lengths in tokens.
      counts: Token -> count.
    """

    lengths: np.ndarray
    counts: Counter[str]


@dataclasses.dataclass(frozen=True, eq=False)
class CorpusStatistics:
    """Statistics of N pairs, including those with an empty side.

    Attributes:
      source: The statistics of the sources.
      target: The statistics of the targets.
      repeated: The number of pairs that equal an earlier one.
      copies: The number of pairs whose target equals their source.
    """

    source: SideStatistics
    target: SideStatistics
    repeated: int
    copies: int

    def __len__(self) -> int:
        return len(self.source.lengths)


def corpus_statistics(
    pairs: Iterable[Example], split_source: Split, split_target: Split
) -> CorpusStatistics:
    """Compute the statistics in one pass, in 16 bytes per pair and the different tokens.

    Args:
      pairs: The pairs.
      split_source: Splits a source into tokens.
      split_target: Splits a target into tokens.
    """
    lengths = array("i"), array("i")
    counts: tuple[Counter[str], Counter[str]] = Counter(), Counter()
    hashes, copies = array("Q"), 0
    with progress_count("reading pairs") as show:
        for pair in pairs:
            for side, split in enumerate((split_source, split_target)):
                tokens = split(pair[side])
                lengths[side].append(len(tokens))
                counts[side].update(tokens)
            text = "\n".join(pair).encode("utf-8", "surrogatepass")
            hashes.frombytes(hashlib.blake2b(text, digest_size=8).digest())
            copies += pair[0] == pair[1] != ""
            if len(hashes) % 10_000 == 0:
                show(len(hashes))
    source, target = (
        SideStatistics(np.array(length, np.int64), count)
        for length, count in zip(lengths, counts, strict=True)
    )
    different = len(np.unique(np.array(hashes, np.uint64)))
    return CorpusStatistics(source, target, len(hashes) - different, copies)


def describe_corpus(statistics: CorpusStatistics) -> str:
    """Describe the statistics in several lines.

    Args:
      statistics: The statistics.
    """
    sides = {"source": statistics.source, "target": statistics.target}
    empty = ", ".join(f"{int((side.lengths == 0).sum()):,} {name}s" for name, side in sides.items())
    lines = [
        f"pairs        {len(statistics):,}",
        f"  empty      {empty}",
        f"  repeated   {statistics.repeated:,} that equal an earlier pair",
        f"  copies     {statistics.copies:,} whose target equals their source",
        *_unbalanced(statistics),
        "",
        f"{'':28}{'source':>12}{'target':>12}",
        *(
            f"{what:28}{source:>12}{target:>12}"
            for (what, source), (_, target) in zip(
                _token_rows(statistics.source), _token_rows(statistics.target), strict=True
            )
        ),
        "",
        "tokens per text" + "".join(f"{_name(q):>8}" for q in QUANTILES) + f"{'mean':>9}",
    ]
    for name, side in sides.items():
        values = np.percentile(side.lengths, QUANTILES, method="inverted_cdf")
        quantiles = "".join(f"{int(value):>8,}" for value in values)
        longest = f"   longest: pair {int(side.lengths.argmax()) + 1:,}"
        lines.append(f"  {name:14}{quantiles}{side.lengths.mean():>9.1f}{longest}")
    for title, listed in (
        ("most frequent tokens", _most_frequent),
        ("unusual characters", _odd_characters),
    ):
        lines += ["", title, *(f"  {name}  {listed(side)}" for name, side in sides.items())]
    return "\n".join(lines)


def _unbalanced(statistics: CorpusStatistics, most: int = 5) -> list[str]:
    sources, targets = statistics.source.lengths, statistics.target.lengths
    (numbers,) = np.nonzero((sources > 0) & (targets > 0))
    if not len(numbers):
        return []
    logs = np.log(targets[numbers] / sources[numbers])
    median = float(np.median(logs))
    off = np.abs(logs - median)
    count = int((off > np.log(UNBALANCED)).sum())
    lines = [
        f"  unbalanced {count:,} whose length ratio, target to source, differs from the median,"
        f" {np.exp(median):.2f}, by a factor above {UNBALANCED}"
    ]
    for i in np.argsort(-off, kind="stable")[: min(count, most)]:
        number = numbers[i]
        lengths = f"{sources[number]:,} source and {targets[number]:,} target tokens"
        lines.append(f"             pair {number + 1:,}: {lengths}")
    return lines


def _token_rows(side: SideStatistics) -> list[tuple[str, str]]:
    counts = np.array(sorted(side.counts.values(), reverse=True), np.int64)
    total = int(counts.sum())
    enough = int(np.searchsorted(counts.cumsum(), 0.95 * total)) + 1 if total else 0
    characters = _characters(side)
    not_ascii = sum(count for character, count in characters.items() if not character.isascii())
    return [
        ("tokens", f"{total:,}"),
        ("different tokens", f"{len(counts):,}"),
        ("  that occur once", _share(int((counts == 1).sum()), len(counts))),
        ("  that cover 95 % of the text", f"{enough:,}"),
        ("different characters", f"{len(characters):,}"),
        ("  share outside ASCII", _share(not_ascii, characters.total())),
    ]


def _characters(side: SideStatistics) -> Counter[str]:
    characters: Counter[str] = Counter()
    for token, count in side.counts.items():
        for character in token:
            characters[character] += count
    return characters


def _most_frequent(side: SideStatistics, most: int = 10) -> str:
    ordered = sorted(side.counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    total = side.counts.total()
    return "  ".join(f"{_shown(token)} {_share(count, total)}" for token, count in ordered)


def _odd_characters(side: SideStatistics, most: int = 10) -> str:
    """List control, invisible, private-use and replacement characters, and unusual spaces."""
    odd = [
        (count, character)
        for character, count in _characters(side).items()
        if character == "\ufffd"
        or unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Zl", "Zp")
        or (unicodedata.category(character) == "Zs" and character != " ")
    ]
    odd.sort(key=lambda item: (-item[0], item[1]))
    shown = [
        f"U+{ord(character):04X} {unicodedata.name(character, '').lower()}".strip() + f" {count:,}"
        for count, character in odd[:most]
    ]
    if len(odd) > most:
        shown.append(f"and {len(odd) - most} others")
    return ", ".join(shown) or "none"


def _shown(token: str) -> str:
    if token.isprintable() and not token.isspace() and len(token) <= 30:
        return token
    return reprlib.repr(token)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _name(quantile: int) -> str:
    return {0: "min", 100: "max"}.get(quantile, f"{quantile} %")
