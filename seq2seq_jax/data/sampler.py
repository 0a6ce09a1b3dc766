"""Samplers: which examples each batch holds, as indices."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np


class BatchExamples(NamedTuple):
    """The examples of one batch.

    Attributes:
      bucket: Index of the bucket, which decides the shape of the batch.
      examples: Indices of the examples; at most as many as a batch of this bucket has rows.
    """

    bucket: int
    examples: np.ndarray


def sample_epoch(
    assigned: np.ndarray,
    rows: Sequence[int],
    *,
    seed: int,
    epoch: int,
    shuffle: bool,
    examples: np.ndarray | None = None,
) -> list[BatchExamples]:
    """Return the batches of an epoch. Their order depends only on the seed and the epoch.

    Args:
      assigned: [N], the bucket of each example.
      rows: The number of rows of a batch, by bucket.
      seed: Seed of all epochs.
      epoch: Number of the epoch, from 0.
      shuffle: Draw a permutation of the examples and of the batches. Otherwise the examples keep
        their order as far as the buckets allow.
      examples: The indices of the examples of this epoch, sorted; None: all, each once.

    Returns:
      The batches; each of the examples is in exactly one of them.
    """
    if examples is not None:
        batches = sample_epoch(assigned[examples], rows, seed=seed, epoch=epoch, shuffle=shuffle)
        return [BatchExamples(bucket, examples[chosen]) for bucket, chosen in batches]
    if not shuffle:
        return sorted(sequential_batches(assigned, rows), key=lambda batch: int(batch.examples[0]))
    # A permutation by sorting raw random bits: these never change between versions of numpy, while
    # `permutation` may, so a run can be resumed after an upgrade.
    random = np.random.PCG64(np.random.SeedSequence([seed, epoch]))
    order = np.argsort(random.random_raw(len(assigned)), kind="stable")
    batches = [
        BatchExamples(batch.bucket, order[batch.examples])
        for batch in sequential_batches(assigned[order], rows)
    ]
    return [batches[i] for i in np.argsort(random.random_raw(len(batches)), kind="stable")]


def sequential_batches(assigned: np.ndarray, rows: Sequence[int]) -> list[BatchExamples]:
    """Divide the examples of each bucket into batches, bucket after bucket and in order.

    Args:
      assigned: [N], the bucket of each example.
      rows: The number of rows of a batch, by bucket.

    Returns:
      The batches; the last one of each bucket can have fewer examples than rows.
    """
    return [
        BatchExamples(int(bucket), examples[start : start + rows[bucket]])
        for bucket in np.unique(assigned)
        for examples in [np.flatnonzero(assigned == bucket)]
        for start in range(0, len(examples), rows[bucket])
    ]


def count_batches(assigned: np.ndarray, rows: Sequence[int]) -> int:
    """Return the number of batches of an epoch.

    Args:
      assigned: [N], the bucket of each example.
      rows: The number of rows of a batch, by bucket.
    """
    examples = np.bincount(assigned, minlength=len(rows))
    return int(np.sum(-(-examples // np.asarray(rows))))


def length_sorted_batches(lengths: np.ndarray, batch_size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Group examples of similar length, so that there is little padding.

    Args:
      lengths: [N], the length of each example.
      batch_size: Largest number of examples in a batch.

    Yields:
      The indices of the examples of a batch, and the width to pad them to (see `padded_length`).
      The lengths increase from batch to batch.
    """
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        examples = order[start : start + batch_size]
        yield examples, padded_length(int(lengths[examples[-1]]))


def padded_length(length: int) -> int:
    """Round a length up, so that there are few widths to compile and little padding.

    Args:
      length: Number of tokens of the longest row.

    Returns:
      The next multiple of 8 up to 64, of 32 above.

    Example:
      >>> padded_length(13), padded_length(65)
      (16, 96)
    """
    return 8 * -(-length // 8) if length <= 64 else 32 * -(-length // 32)


def pad_indices(examples: np.ndarray, rows: int) -> np.ndarray:
    """Append -1 for each row of a batch that only pads it to its size.

    Args:
      examples: Indices of the examples, at most `rows` of them.
      rows: The number of rows of the batch.

    Returns:
      [rows] int32.

    Example:
      >>> pad_indices(np.array([7, 3]), 4)
      array([ 7,  3, -1, -1], dtype=int32)
    """
    indices = np.full(rows, -1, np.int32)
    indices[: len(examples)] = examples
    return indices
