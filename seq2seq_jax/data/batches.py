"""Padded batches: epochs of a training corpus in an order that only the seed and the epoch
decide, and one pass over other data in order.

A batch is a dict of int32 arrays, its shape that of its bucket (S, T):

  source_ids [B, S]  words, END       source_len [B]  END included
  target_ids [B, T]  START, words, END   target_len [B]  both included

B is that of the bucket, always: its last batch is filled up with rows of length 0. Padding has
id 0, which is also a word's: only lengths tell. Of several processes that train together each
makes its share of the rows of every batch.
"""

import dataclasses
import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from seq2seq_jax.data.buckets import Buckets
from seq2seq_jax.data.corpus import Corpus
from seq2seq_jax.data.ragged import Rows
from seq2seq_jax.data.sampler import BatchExamples, epoch_order, filled_up, in_order
from seq2seq_jax.utils.errors import UserError

Batch = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Share:
    """Which of `count` equal parts of every batch one of several processes makes."""

    index: int
    count: int

    def size(self, rows: int) -> int:
        """Rows of a part; ValueError if a batch does not divide."""
        if rows % self.count:
            raise ValueError(f"a batch of {rows} rows does not divide by {self.count}")
        return rows // self.count


WHOLE = Share(0, 1)


class TrainBatches:
    """Iterates over a corpus epoch after epoch, each example exactly once in each.

    Its state is two numbers and a fingerprint: another iterator over the same data that
    restores them goes on with the very same batches.
    """

    def __init__(
        self,
        corpus: Corpus,
        buckets: Buckets,
        *,
        seed: int,
        shuffle: bool = True,
        num_epochs: int = 0,
        share: Share = WHOLE,
    ):
        """Args: as for `epoch_batches`; num_epochs 0 is without end."""
        self._corpus, self._buckets, self._share = corpus, buckets, share
        self._seed, self._shuffle, self._num_epochs = seed, shuffle, num_epochs
        self._assigned = _assign(corpus, buckets)
        self._fingerprint = self._compute_fingerprint()
        self._start_epoch(0, 0)

    @property
    def epoch(self) -> int:
        """The epoch of the next batch, from 0."""
        return self._epoch

    @property
    def batches_per_epoch(self) -> int:
        """The same in every epoch."""
        return len(self._rows)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if self._num_epochs and self._epoch >= self._num_epochs:
            raise StopIteration
        rows = self._rows[self._position]
        batch = _pair_batch(self._corpus, self._buckets, rows, self._share)
        self._position += 1
        if self._position == len(self._rows):
            self._start_epoch(self._epoch + 1, 0)
        return batch

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on with the next batch; can be written as JSON."""
        return {
            "epoch": self._epoch,
            "position": self._position,
            "fingerprint": self._fingerprint,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on where the iterator was that gave this state.

        Raises:
          UserError: it ran over other data, or in another order.
        """
        if state["fingerprint"] != self._fingerprint:
            raise UserError(
                "input_pipeline_train.params",
                "the training data, their buckets, the batch size or the seed are not those of "
                "the run to continue: restore them, or start anew in another workdir",
            )
        self._start_epoch(state["epoch"], state["position"])

    def _start_epoch(self, epoch: int, position: int) -> None:
        self._epoch, self._position = epoch, position
        self._rows = epoch_order(
            self._assigned, self._buckets.rows, seed=self._seed, epoch=epoch, shuffle=self._shuffle
        )

    def _compute_fingerprint(self) -> str:
        settings = (self._corpus.digest, self._buckets, self._seed, self._shuffle)
        return hashlib.sha256(repr(settings).encode()).hexdigest()[:16]


def epoch_batches(
    corpus: Corpus,
    buckets: Buckets,
    *,
    seed: int,
    epoch: int,
    shuffle: bool = True,
    share: Share = WHOLE,
) -> Iterator[Batch]:
    """Yields one epoch: each example exactly once.

    The order of the examples, and of the batches, is a permutation that depends on the seed and
    the epoch alone. Without `shuffle` examples come in their own order, as far as buckets allow.
    """
    assigned = _assign(corpus, buckets)
    for rows in epoch_order(assigned, buckets.rows, seed=seed, epoch=epoch, shuffle=shuffle):
        yield _pair_batch(corpus, buckets, rows, share)


def dev_batches(corpus: Corpus, buckets: Buckets) -> Iterator[tuple[Batch, np.ndarray]]:
    """Yields batches of a corpus, bucket by bucket and in order, to be evaluated.

    Pairs larger than all buckets get one bucket more.

    Returns:
      Batches, each with [B] int32: the index of each row's example, -1 for rows that fill up.
    """
    buckets = buckets.covering(int(corpus.source.lengths.max()), int(corpus.target.lengths.max()))
    for rows in in_order(_assign(corpus, buckets), buckets.rows):
        batch = _pair_batch(corpus, buckets, rows, WHOLE)
        yield batch, filled_up(rows.examples, len(batch["source_ids"]))


def source_batches(
    sources: Rows, batch_size: int, rows: np.ndarray | None = None
) -> Iterator[tuple[Batch, np.ndarray]]:
    """Yields batches of sources alone, to be decoded: `source_ids` and `source_len`.

    Args:
      sources: rows of ids.
      rows: [M], those to be decoded, if not all; indices are then those into `rows`.

    Returns:
      As `dev_batches`.
    """
    if rows is None:
        rows = np.arange(len(sources))
    for examples, width in batches_by_length(sources.lengths[rows], batch_size):
        ids, lengths = sources.padded(rows[examples], width, batch_size)
        yield {"source_ids": ids, "source_len": lengths}, filled_up(examples, batch_size)


def batches_by_length(lengths: np.ndarray, batch_size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yields indices, sorted by their length and at most `batch_size` at once, so that little is
    padded; and what to pad them to (see `padded_length`)."""
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        examples = order[start : start + batch_size]
        yield examples, padded_length(int(lengths[examples[-1]]))


def padded_length(length: int) -> int:
    """The width to which rows of a length are padded where no buckets were chosen: few widths, so
    that little is compiled, and little padding."""
    return 8 * -(-length // 8) if length <= 64 else 32 * -(-length // 32)


def _assign(corpus: Corpus, buckets: Buckets) -> np.ndarray:
    return buckets.assign(corpus.source.lengths, corpus.target.lengths)


def _pair_batch(corpus: Corpus, buckets: Buckets, rows: BatchExamples, share: Share) -> Batch:
    source_width, target_width = buckets.shapes[rows.bucket]
    count = share.size(buckets.rows[rows.bucket])
    examples = rows.examples[share.index * count : (share.index + 1) * count]
    source_ids, source_len = corpus.source.padded(examples, source_width, count)
    target_ids, target_len = corpus.target.padded(examples, target_width, count)
    return {
        "source_ids": source_ids,
        "source_len": source_len,
        "target_ids": target_ids,
        "target_len": target_len,
    }
