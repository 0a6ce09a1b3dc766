"""Padded batches: shuffled epochs of a training corpus, and one ordered pass over other data.

A batch is a dict of int32 arrays whose shapes are those of its bucket (S, T):

  source_ids [B, S]  tokens, END          source_len [B]  END included
  target_ids [B, T]  START, tokens, END   target_len [B]  both included

and, if the corpus has features, whose width F is the same in all batches,

  features_ids [B, F]  features           features_len [B]

B is always the number of rows of the bucket: its last batch is padded with rows of length 0.
Padding has id 0, which is also the id of a token; only the lengths tell them apart. If several
processes train together, each makes its shard of the rows of every batch.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from seq2seq_jax.data.buckets import Buckets
from seq2seq_jax.data.corpus import Corpus
from seq2seq_jax.data.mixture import Mixture, format_contributions
from seq2seq_jax.data.prefetch import prefetch
from seq2seq_jax.data.ragged import Rows
from seq2seq_jax.data.sampler import (
    BatchExamples,
    count_batches,
    length_sorted_batches,
    pad_indices,
    sample_epoch,
    sequential_batches,
)
from seq2seq_jax.data.temperature import TemperatureSampler
from seq2seq_jax.utils.errors import UserError

Batch = dict[str, np.ndarray]

Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class Shard:
    """The part of every batch that one of several processes makes.

    Attributes:
      index: Which part, from 0.
      count: Number of equal parts.
    """

    index: int
    count: int

    def num_rows(self, batch_rows: int) -> int:
        """Return the number of rows of this part.

        Args:
          batch_rows: The number of rows of the whole batch.

        Returns:
          The same number for every process.

        Raises:
          ValueError: The rows cannot be divided equally.
        """
        if batch_rows % self.count:
            raise ValueError(f"a batch of {batch_rows} rows is not divisible by {self.count}")
        return batch_rows // self.count


WHOLE_BATCH = Shard(0, 1)


class EpochBatches(Generic[Item]):
    """An iterator over training batches, epoch after epoch, that can be saved and restored.

    The state consists of two numbers and a fingerprint. Another iterator over the same data that
    restores it continues with exactly the same batches.
    """

    def __init__(
        self,
        sample: Callable[[int], Sequence[Item]],
        make: Callable[[Item], Batch],
        *,
        batches_per_epoch: int | Callable[[int], int],
        settings: object,
        num_epochs: int = 0,
        num_threads: int | None = None,
    ) -> None:
        """Start before the first batch.

        Args:
          sample: Returns what `make` needs for each batch of an epoch, which is numbered from 0. It
            depends on nothing else.
          make: Makes a batch.
          batches_per_epoch: The length of what `sample` returns for an epoch; a function if it
            depends on the epoch.
          settings: All that decides the batches; its `repr` becomes the fingerprint.
          num_epochs: Stop after this many epochs; 0: never.
          num_threads: Make batches ahead in this many threads, as in `prefetch`; None: make each
            when it is requested.
        """
        self._sample, self._make, self._num_threads = sample, make, num_threads
        self._num_epochs, self._batches_per_epoch = num_epochs, batches_per_epoch
        self._epoch_length: tuple[int, int] | None = None  # (epoch, its number of batches)
        self._fingerprint = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
        self._epoch = self._position = 0
        self._start(0, 0)

    @property
    def epoch(self) -> int:
        """The epoch of the next batch, from 0."""
        return self._epoch

    @property
    def batches_per_epoch(self) -> int:
        """The number of batches of the epoch of the next batch."""
        if not callable(self._batches_per_epoch):
            return self._batches_per_epoch
        if self._epoch_length is None or self._epoch_length[0] != self._epoch:
            self._epoch_length = self._epoch, self._batches_per_epoch(self._epoch)
        return self._epoch_length[1]

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batch = next(self._batches)
        self._position += 1
        if self._position == self.batches_per_epoch:
            self._epoch, self._position = self._epoch + 1, 0
        return batch

    def state(self) -> dict[str, Any]:
        """Return the state that `restore` takes; it can be written as JSON."""
        return {
            "epoch": self._epoch,
            "position": self._position,
            "fingerprint": self._fingerprint,
        }

    def restore(self, state: dict[str, Any], *, allow_other_data: bool = False) -> None:
        """Continue at the position of the iterator that returned this state.

        Args:
          state: As `state` returned it.
          allow_other_data: If that iterator had other data, start with the next epoch instead of
            raising an error.

        Raises:
          UserError: That iterator had other data, buckets or another order.
        """
        if state["fingerprint"] != self._fingerprint:
            if allow_other_data:
                self._start(state["epoch"] + 1, 0)
                return
            raise UserError(
                "input_pipeline_train.params",
                "the training data, their buckets, the batch size or the seed differ from those of "
                "the run to resume. Restore them, or use another workdir",
            )
        self._start(state["epoch"], state["position"])

    def _start(self, epoch: int, position: int) -> None:
        self._epoch, self._position = epoch, position
        items = self._items(epoch, position)
        if self._num_threads is None:
            self._batches: Iterator[Batch] = map(self._make, items)
        else:
            self._batches = prefetch(self._make, items, num_threads=self._num_threads)

    def _items(self, epoch: int, position: int) -> Iterator[Item]:
        while not self._num_epochs or epoch < self._num_epochs:
            yield from self._sample(epoch)[position:]
            epoch, position = epoch + 1, 0


class TrainBatches(EpochBatches[BatchExamples]):
    """An iterator over the batches of a corpus of pairs, epoch after epoch.

    Each epoch holds each example exactly once, unless a temperature draws from groups; the order
    depends only on the seed and the epoch.
    """

    def __init__(
        self,
        corpus: Corpus,
        buckets: Buckets,
        *,
        seed: int,
        shuffle: bool = True,
        num_epochs: int = 0,
        shard: Shard = WHOLE_BATCH,
        groups: np.ndarray | None = None,
        temperature: float = 1.0,
        mixture: Mixture | None = None,
    ) -> None:
        """Start before the first batch.

        Args:
          corpus: The pairs.
          buckets: Shapes and numbers of rows of the batches.
          seed: Seed of the order of the examples.
          shuffle: Draw a new order for each epoch; otherwise the examples keep their order as far
            as the buckets allow.
          num_epochs: Stop after this many epochs; 0: never.
          shard: The rows of each batch that this process makes.
          groups: [N], the group of each example, such as its language; used by the temperature.
          temperature: Above 1, epochs draw more evenly from the groups (see `temperature`).
          mixture: The corpora that the pairs come from, and their weights; None: each pair once.

        Raises:
          UserError: There are both a temperature and a mixture.
        """
        assigned = _assign(corpus, buckets)
        settings: tuple[object, ...] = (corpus.digest, buckets, seed, shuffle)
        self._mixture, draw = mixture, None
        num_batches: int | Callable[[int], int] = count_batches(assigned, buckets.rows)
        if groups is not None and temperature != 1:
            if mixture:
                what = "cannot be combined with language_temperature; use only one of them"
                raise UserError("corpora.weights", what)
            sampler = TemperatureSampler(groups, assigned, temperature=temperature, seed=seed)
            settings, draw = (*settings, temperature), sampler.examples
            num_batches = count_batches(assigned[draw(0)], buckets.rows)
        if mixture:
            settings, draw = (*settings, mixture), partial(mixture.examples, seed=seed)
            num_batches = partial(_count_batches, assigned, buckets, draw)
        super().__init__(
            lambda epoch: sample_epoch(
                assigned,
                buckets.rows,
                seed=seed,
                epoch=epoch,
                shuffle=shuffle,
                examples=draw(epoch) if draw else None,
            ),
            lambda examples: _pair_batch(corpus, buckets, examples, shard),
            batches_per_epoch=num_batches,
            settings=settings,
            num_epochs=num_epochs,
        )

    def describe_contributions(self) -> str:
        """Return how many examples of each corpus were used so far; "" without a mixture.

        Epochs before the plan of the run was changed count with the present weights.
        """
        if self._mixture is None:
            return ""
        counts = [self._mixture.counts(epoch) for epoch in range(self._epoch)]
        begun = self._sample(self._epoch)[: self._position]
        counts.append(self._mixture.count_by_corpus([batch.examples for batch in begun]))
        return format_contributions(self._mixture.names, np.sum(counts, axis=0).tolist())


def dev_batches(corpus: Corpus, buckets: Buckets) -> Iterator[tuple[Batch, np.ndarray]]:
    """Yield the batches of one evaluation pass, bucket after bucket and in order.

    Args:
      corpus: The pairs.
      buckets: Shapes and numbers of rows; one more bucket is added for pairs that fit into none.

    Yields:
      A batch, and [B] int32: the index of each row's example, -1 for rows of padding.
    """
    buckets = buckets.covering(int(corpus.source.lengths.max()), int(corpus.target.lengths.max()))
    for rows in sequential_batches(_assign(corpus, buckets), buckets.rows):
        batch = _pair_batch(corpus, buckets, rows, WHOLE_BATCH)
        yield batch, pad_indices(rows.examples, len(batch["source_ids"]))


def source_batches(
    sources: Rows,
    batch_size: int,
    rows: np.ndarray | None = None,
    features: Rows | None = None,
) -> Iterator[tuple[Batch, np.ndarray]]:
    """Yield batches of sources to decode, sorted by length.

    Args:
      sources: Rows of ids.
      batch_size: The number of rows of a batch.
      rows: [M], the rows to decode; None: all.
      features: The features of the sources; None: they have none.

    Yields:
      A batch with `source_ids` and `source_len`, and features if there are any; and [B] int32: the
      index into `rows` of each row, -1 for rows of padding.
    """
    if rows is None:
        rows = np.arange(len(sources))
    for examples, width in length_sorted_batches(sources.lengths[rows], batch_size):
        ids, lengths = sources.padded(rows[examples], width, batch_size)
        batch = {"source_ids": ids, "source_len": lengths}
        batch |= _feature_arrays(features, rows[examples], batch_size)
        yield batch, pad_indices(examples, batch_size)


def _assign(corpus: Corpus, buckets: Buckets) -> np.ndarray:
    return buckets.assign(corpus.source.lengths, corpus.target.lengths)


def _count_batches(
    assigned: np.ndarray, buckets: Buckets, draw: Callable[[int], np.ndarray], epoch: int
) -> int:
    return count_batches(assigned[draw(epoch)], buckets.rows)


def _pair_batch(corpus: Corpus, buckets: Buckets, rows: BatchExamples, shard: Shard) -> Batch:
    source_width, target_width = buckets.shapes[rows.bucket]
    count = shard.num_rows(buckets.rows[rows.bucket])
    examples = rows.examples[shard.index * count : (shard.index + 1) * count]
    source_ids, source_len = corpus.source.padded(examples, source_width, count)
    target_ids, target_len = corpus.target.padded(examples, target_width, count)
    return {
        "source_ids": source_ids,
        "source_len": source_len,
        "target_ids": target_ids,
        "target_len": target_len,
        **_feature_arrays(corpus.features, examples, count),
    }


def _feature_arrays(features: Rows | None, examples: np.ndarray, num_rows: int) -> Batch:
    """Return the features of a batch, padded to the longest row of all."""
    if features is None:
        return {}
    width = max(1, int(features.lengths.max()))
    ids, lengths = features.padded(examples, width, num_rows)
    return {"features_ids": ids, "features_len": lengths}
