"""The case with the lengths of a real corpus, where bucketing by length matters."""

import gzip
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from benchmarks.cases import Batch, Case, Pair, SpecialIds, draw_pairs, pad

Item = TypeVar("Item")


def real_pairs(case: Case, files: Sequence[str] = ()) -> list[Pair]:
    """Read the pairs of two parallel files, or draw 29,000 pairs with the lengths of Multi30k.

    Words outside the case's vocabulary become one token. Pairs with an empty side, or with one that
    is longer than the case allows, are dropped.

    Args:
      case: The case.
      files: The two files, plain or .gz, with words separated by spaces; or none.
    """
    if not files:
        return _like_multi30k(case)
    sources, targets = (_numbered(file, case.vocab_size - 4) for file in files)
    return [
        (source, target)
        for source, target in zip(sources, targets, strict=True)
        if 0 < len(source) <= case.longest and 0 < len(target) <= case.longest
    ]


def sorted_batches(case: Case, pairs: Sequence[Pair], ids: SpecialIds) -> list[Batch]:
    """Return some batches of an epoch that is sorted by length, as fairseq does.

    This order pads least; the other toolkits sort a pool or nothing, and pad more.

    Args:
      case: The case.
      pairs: The corpus.
      ids: The ids of the toolkit.
    """
    ordered = sorted(pairs, key=lambda pair: (len(pair[0]), len(pair[1])))
    starts = range(0, len(ordered) - case.batch_size + 1, case.batch_size)
    chosen = pick_evenly(starts, case.batches)
    return [pad(ordered[start : start + case.batch_size], ids) for start in chosen]


def pick_evenly(items: Sequence[Item], count: int) -> list[Item]:
    """Return a number of evenly spaced items.

    Args:
      items: The items.
      count: The number.
    """
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[place] for place in places]


def _like_multi30k(case: Case, count: int = 29_000, seed: int = 30) -> list[Pair]:
    """Draw log-normal lengths with the mean, deviation and correlation of English and German
    sentences in the 29,000 training pairs of Multi30k (means 13.0 and 12.4, correlation 0.85)."""
    generator = np.random.default_rng(seed)
    sources = generator.normal(2.522, 0.296, count)
    targets = 0.114 + 0.934 * sources + generator.normal(0, 0.1695, count)
    source_len, target_len = (
        np.clip(np.rint(np.exp(side)), case.shortest, case.longest).astype(int)
        for side in (sources, targets)
    )
    return draw_pairs(generator, source_len, target_len, case.vocab_size - 4)


def _numbered(file: str, words: int) -> list[np.ndarray]:
    with (gzip.open if file.endswith(".gz") else open)(file, "rt", encoding="utf-8") as lines:
        sentences = [line.split() for line in lines]
    counts = Counter(word for sentence in sentences for word in sentence)
    frequent = [word for word, _ in counts.most_common(words - 1)]
    numbers = {word: number for number, word in enumerate(frequent)}
    return [np.array([numbers.get(word, words - 1) for word in s], int) for s in sentences]
