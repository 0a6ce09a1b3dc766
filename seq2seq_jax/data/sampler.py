"""Which examples each batch of an epoch holds, by numbers alone."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class BatchExamples(NamedTuple):
    """What one batch holds.

    Attributes:
      bucket: its shape.
      examples: indices, at most as many as a batch of this bucket has rows.
    """

    bucket: int
    examples: np.ndarray


def epoch_order(
    assigned: np.ndarray, rows: Sequence[int], *, seed: int, epoch: int, shuffle: bool
) -> list[BatchExamples]:
    """The batches of an epoch; the order depends on the seed and the epoch alone.

    Args:
      assigned: [N], the bucket of each example.
      rows: of a batch, by bucket.
      shuffle: without it examples come in their own order, as far as buckets allow.
    """
    if not shuffle:
        return sorted(in_order(assigned, rows), key=lambda batch: int(batch.examples[0]))
    # Raw random bits, sorted: unlike numpy's `permutation` these never change between versions,
    # so that a run can be resumed after numpy was upgraded.
    random = np.random.PCG64(np.random.SeedSequence([seed, epoch]))
    order = np.argsort(random.random_raw(len(assigned)), kind="stable")
    batches = [
        BatchExamples(batch.bucket, order[batch.examples])
        for batch in in_order(assigned[order], rows)
    ]
    return [batches[i] for i in np.argsort(random.random_raw(len(batches)), kind="stable")]


def in_order(assigned: np.ndarray, rows: Sequence[int]) -> list[BatchExamples]:
    """Cuts the examples of each bucket into batches; arguments as of `epoch_order`."""
    return [
        BatchExamples(int(bucket), examples[start : start + rows[bucket]])
        for bucket in np.unique(assigned)
        for examples in [np.flatnonzero(assigned == bucket)]
        for start in range(0, len(examples), rows[bucket])
    ]


def filled_up(examples: np.ndarray, rows: int) -> np.ndarray:
    """[rows] int32: the indices, then -1 for the rows that only fill a batch up."""
    indices = np.full(rows, -1, np.int32)
    indices[: len(examples)] = examples
    return indices
