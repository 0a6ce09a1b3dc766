"""Batches of pictures and captions: epochs of a corpus in an order that only the seed and the epoch
decide, and one pass over a corpus, or over pictures alone, in order.

A batch is a dict of arrays; of the two keys of pictures it has one:

  image           [B, H, W, 3] uint8: decoded and resized, red, green, blue
  image_features  [B, cells, C]: what a frozen network made of it, computed once
  source_len [B] int32  1 for a picture
  target_ids [B, T] int32  START, words, END   target_len [B] int32  both included

B is always the batch size: what is short is filled up with rows of length 0, whose picture is all
zeros. So is the row of a picture that turns out to be broken and is passed over. Pictures are read,
decoded and resized in threads, ahead of the batch in use.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from seq2seq_jax.captioning.data.caption_corpus import CaptionCorpus
from seq2seq_jax.data.batches import WHOLE_BATCH, Shard, prefetch
from seq2seq_jax.data.buckets import BatchRows, choose_buckets
from seq2seq_jax.data.sampler import pad_indices, sample_epoch, sequential_batches
from seq2seq_jax.utils.errors import UserError

Batch = dict[str, np.ndarray]


class Images(Protocol):
    """M pictures as a model takes them: `DecodedImages`, `ImageVariants` or `CachedFeatures`.

    Attributes:
      batch_key: "image" or "image_features".
      shape, dtype: of one.
      digest: names how they were made.
    """

    batch_key: str
    shape: tuple[int, ...]
    dtype: np.dtype
    digest: str

    def __len__(self) -> int: ...

    def get(self, index: int) -> np.ndarray | None:
        """One picture; None if it is broken and to be passed over. Called from any thread."""


class ImageTrainBatches:
    """Iterates over a corpus epoch after epoch, each caption exactly once in each.

    Its state is two numbers and a fingerprint: another iterator over the same data that
    restores them goes on with the very same batches.
    """

    def __init__(
        self,
        corpus: CaptionCorpus,
        images: Images,
        target_widths: Sequence[int],
        batch_size: int,
        *,
        seed: int,
        shuffle: bool = True,
        num_epochs: int = 0,
        variants: int = 0,
        shard: Shard = WHOLE_BATCH,
        workers: int = 0,
    ):
        """
        Args:
          images: those of the corpus; if there are variants, each with them behind it.
          target_widths: increasing; what captions are padded to, the last one holds them all.
          num_epochs: 0 is without end.
          variants: of each picture; a caption comes with another draw of them in each epoch.
          shard: The rows of each batch that this process makes.
          workers: threads that prepare batches; 0: as many as there are processors.
        """
        shard.num_rows(batch_size)  # raises if it is not divisible
        longest = int(corpus.targets.lengths.max())
        if longest > max(target_widths):
            raise ValueError(f"a caption of {longest} ids is wider than {max(target_widths)}")
        self._corpus, self._images = corpus, images
        self._widths, self._batch_size = tuple(map(int, target_widths)), batch_size
        self._seed, self._shuffle, self._num_epochs = seed, shuffle, num_epochs
        self._variants, self._shard, self._workers = variants, shard, workers
        self._assigned = np.searchsorted(self._widths, corpus.targets.lengths)
        settings = (corpus.digest, images.digest, self._widths, batch_size, seed, shuffle)
        self._fingerprint = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
        self._batches_per_epoch = len(self._order(0))
        self._epoch = self._position = 0
        self._batches = self._batches_from(0, 0)

    @property
    def epoch(self) -> int:
        """The epoch of the next batch, from 0."""
        return self._epoch

    @property
    def batches_per_epoch(self) -> int:
        """The same in every epoch."""
        return self._batches_per_epoch

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batch = next(self._batches)
        self._position += 1
        if self._position == self._batches_per_epoch:
            self._epoch, self._position = self._epoch + 1, 0
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
                "the training data, their size or widths, the batch size or the seed are not those "
                "of the run to continue: restore them, or start anew in another workdir",
            )
        self._epoch, self._position = state["epoch"], state["position"]
        self._batches = self._batches_from(self._epoch, self._position)

    def _batches_from(self, epoch: int, position: int) -> Iterator[Batch]:
        return prefetch(self._make, self._orders(epoch, position), num_threads=self._workers)

    def _orders(self, epoch: int, position: int) -> Iterator["_Rows"]:
        while not self._num_epochs or epoch < self._num_epochs:
            yield from self._order(epoch)[position:]
            epoch, position = epoch + 1, 0

    def _order(self, epoch: int) -> list["_Rows"]:
        """This process's part of each batch of an epoch."""
        size = self._shard.num_rows(self._batch_size)
        first = self._shard.index * size
        order = sample_epoch(
            self._assigned,
            [self._batch_size] * len(self._widths),
            seed=self._seed,
            epoch=epoch,
            shuffle=self._shuffle,
        )
        pictures = self._pictures(epoch)
        rows = []
        for batch in order:
            captions = batch.examples[first : first + size]
            rows.append(_Rows(self._widths[batch.bucket], captions, pictures[captions]))
        return rows

    def _pictures(self, epoch: int) -> np.ndarray:
        """[N], the picture or variant that comes with each caption."""
        copies_per_image = 1 + self._variants
        pictures = self._corpus.image_of.astype(np.int64) * copies_per_image
        if self._variants:
            random = np.random.PCG64(np.random.SeedSequence([self._seed, epoch, copies_per_image]))
            pictures += (random.random_raw(len(pictures)) % copies_per_image).astype(np.int64)
        return pictures

    def _make(self, rows: "_Rows") -> Batch:
        return _caption_batch(
            self._corpus, self._images, rows, self._shard.num_rows(self._batch_size)
        )


def choose_target_widths(
    lengths: np.ndarray, batch_size: int, *, image_slots: int = 64
) -> tuple[int, ...]:
    """The widths that captions are padded to: few, since each compiles the whole network anew.

    Args:
      lengths: [N], START and END included.
      image_slots: what a picture costs, in steps of the decoder.
    """
    buckets = choose_buckets(np.full_like(lengths, image_slots), lengths, BatchRows(batch_size))
    return tuple(target for _, target in buckets.shapes)


def caption_dev_batches(
    corpus: CaptionCorpus,
    images: Images,
    target_widths: Sequence[int],
    batch_size: int,
    *,
    workers: int = 0,
) -> Iterator[tuple[Batch, np.ndarray]]:
    """Yields batches of a corpus, width by width and in order, to be evaluated.

    Captions longer than all widths get one width more.

    Returns:
      Batches, each with [B] int32: the index of each row's caption, -1 for rows that fill up.
    """
    lengths = corpus.targets.lengths
    widths = sorted({*map(int, target_widths), max(*target_widths, int(lengths.max()))})
    order = sequential_batches(np.searchsorted(widths, lengths), [batch_size] * len(widths))

    def make(rows: _Rows) -> tuple[Batch, np.ndarray]:
        batch = _caption_batch(corpus, images, rows, batch_size)
        return batch, pad_indices(rows.captions, batch_size)

    rows = (
        _Rows(widths[batch.bucket], batch.examples, corpus.image_of[batch.examples])
        for batch in order
    )
    return prefetch(make, rows, num_threads=workers)


def image_batches(
    images: Images, batch_size: int, *, workers: int = 0
) -> Iterator[tuple[Batch, np.ndarray]]:
    """As `caption_dev_batches`, of pictures alone, to be described: each once.

    The index of a picture that is broken and passed over is -1.
    """

    def make(start: int) -> tuple[Batch, np.ndarray]:
        indices = np.arange(start, min(start + batch_size, len(images)), dtype=np.int32)
        pixels, usable = _stack(images, indices, batch_size)
        batch = {images.batch_key: pixels, "source_len": usable.astype(np.int32)}
        return batch, np.where(usable, pad_indices(indices, batch_size), np.int32(-1))

    return prefetch(make, range(0, len(images), batch_size), num_threads=workers)


class _Rows(NamedTuple):
    width: int
    captions: np.ndarray  # indices
    pictures: np.ndarray  # that of each


def _caption_batch(corpus: CaptionCorpus, images: Images, rows: _Rows, batch_size: int) -> Batch:
    ids, lengths = corpus.targets.padded(rows.captions, rows.width, batch_size)
    pixels, usable = _stack(images, rows.pictures, batch_size)
    return {
        images.batch_key: pixels,
        "source_len": usable.astype(np.int32),
        "target_ids": ids,
        "target_len": np.where(usable, lengths, np.int32(0)),
    }


def _stack(images: Images, indices: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures [batch_size, ...], and [batch_size] bool: which of them are there."""
    stacked = np.zeros((batch_size, *images.shape), images.dtype)
    usable = np.zeros(batch_size, bool)
    for row, index in enumerate(indices):
        image = images.get(int(index))
        if image is not None:
            stacked[row], usable[row] = image, True
    return stacked, usable
