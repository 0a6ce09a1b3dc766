"""Groupings of a dev set that show where a model fails: by length, by feature, by training data."""

from collections.abc import Collection, Hashable, Sequence
from itertools import pairwise

import numpy as np

from seq2seq_jax.data.grouping import Grouping

BREAKDOWNS = ("length", "overlap", "feature")
"""The names of the groupings of this module."""

BOTH, LEMMA, FEATURES, NEITHER = "both", "lemma", "features", "neither"
"""What of a source with features was seen in training."""

IN_TRAINING, NEW = "seen", "unseen"
"""Whether a source without features was seen in training."""


def length_buckets(lengths: Sequence[int] | np.ndarray, max_buckets: int) -> list[tuple[int, int]]:
    """Divide lengths into buckets of about the same size.

    Args:
      lengths: [M], at least one length.
      max_buckets: The maximum number of buckets.

    Returns:
      The shortest and the longest length of each bucket, from short to long.

    Example:
      >>> length_buckets([1, 2, 2, 3, 9, 9], max_buckets=3)
      [(1, 2), (3, 3), (9, 9)]
    """
    array = np.asarray(lengths)
    inner = np.quantile(array, np.arange(1, max_buckets) / max_buckets, method="inverted_cdf")
    edges = np.unique([array.min() - 1, *inner, array.max()])
    inside = [array[(array > low) & (array <= high)] for low, high in pairwise(edges.tolist())]
    return [(int(each.min()), int(each.max())) for each in inside]


def group_by_length(lengths: Sequence[int], max_groups: int = 8) -> Grouping:
    """Group sources by their number of tokens.

    Args:
      lengths: [M], the number of tokens of each source.
      max_groups: The maximum number of groups; all have about the same size.

    Example:
      >>> list(group_by_length([4, 1, 1, 9], max_groups=2).members())
      ['1', '4 to 9']
    """
    buckets = length_buckets(lengths, max_groups) if len(lengths) else []
    names = [f"{low} to {high}" if low < high else str(low) for low, high in buckets]
    groups = [
        [name for name, (low, high) in zip(names, buckets, strict=True) if low <= length <= high]
        for length in lengths
    ]
    return Grouping("length", groups, order=names)


def group_by_feature(features: Sequence[Collection[str]]) -> Grouping:
    """Group sources by feature; a source with several features is in several groups.

    Args:
      features: [M], the features of each source.

    Example:
      >>> group_by_feature([{"PST"}, {"PST", "SG"}]).members()
      {'PST': [0, 1], 'SG': [1]}
    """
    counts: dict[str, int] = {}
    for each in features:
        for feature in each:
            counts[feature] = counts.get(feature, 0) + 1
    order = sorted(counts, key=lambda feature: (-counts[feature], feature))
    return Grouping("feature", [sorted(set(each)) for each in features], order=order)


def group_by_overlap(
    sources: Sequence[Hashable],
    train_sources: Collection[Hashable],
    features: Sequence[Hashable] | None = None,
    train_features: Collection[Hashable] = (),
) -> Grouping:
    """Group sources by what of them the training data contain.

    With features, the groups are those of the SIGMORPHON 2022 shared task: the lemma and the set of
    features were seen, not necessarily together; only the lemma; only the features; neither.

    Args:
      sources: [M], the sources.
      train_sources: The sources of the training data.
      features: [M], the features of each source; None: there are none.
      train_features: The sets of features in the training data.

    Example:
      >>> group_by_overlap(["be", "go"], {"be"}, ["PST", "PST"], {"PST"}).groups
      [['both'], ['features']]
    """
    is_known = [source in train_sources for source in sources]
    if features is None:
        groups = [[IN_TRAINING if known else NEW] for known in is_known]
        return Grouping("overlap", groups, order=(IN_TRAINING, NEW))
    names = {
        (True, True): BOTH,
        (True, False): LEMMA,
        (False, True): FEATURES,
        (False, False): NEITHER,
    }
    groups = [
        [names[known, each in train_features]]
        for known, each in zip(is_known, features, strict=True)
    ]
    return Grouping("overlap", groups, order=tuple(names.values()))
