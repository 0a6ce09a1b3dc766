"""Batches of images and captions: shuffled epochs for training, and ordered passes for evaluation.

A batch is a dict of arrays. It has one of the two keys of images:

  image           [B, H, W, 3] uint8: decoded and resized, red, green, blue
  image_features  [B, S, C]: the features of a frozen network, which were computed before
  source_len      [B] int32: 1, or 0 for padding rows
  target_ids      [B, T] int32: START, tokens, END
  target_len      [B] int32: with both

B is always the batch size: short batches are padded with rows of length 0, whose image is zeros. An
image that turns out to be broken, and is skipped, becomes such a row too. Images are read, decoded
and resized in threads ahead of the batch in use.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from seq2seq_jax.captioning.data.caption_corpus import CaptionCorpus
from seq2seq_jax.data.batches import WHOLE_BATCH, Batch, EpochBatches, Shard
from seq2seq_jax.data.buckets import BatchRows, choose_buckets
from seq2seq_jax.data.prefetch import prefetch
from seq2seq_jax.data.sampler import count_batches, pad_indices, sample_epoch, sequential_batches

_DECODER_STEPS_PER_IMAGE = 64  # The cost of an image, as a number of decoder steps.


class Images(Protocol):
    """M images as a model takes them: `DecodedImages`, `ImageVariants` or `CachedFeatures`.

    Attributes:
      batch_key: "image" or "image_features".
      shape: The shape of one image.
      dtype: The type of its numbers.
      digest: Identifies how the images were made.
    """

    batch_key: str
    shape: tuple[int, ...]
    dtype: np.dtype
    digest: str

    def __len__(self) -> int: ...

    def get(self, index: int) -> np.ndarray | None:
        """Return one image, or None if it is broken and skipped. Threads call this."""


class CaptionRows(NamedTuple):
    """The rows of one batch.

    Attributes:
      width: The number of tokens to which the captions are padded.
      captions: The indices of the captions.
      images: The index of the image of each caption.
    """

    width: int
    captions: np.ndarray
    images: np.ndarray


class ImageTrainBatches(EpochBatches[CaptionRows]):
    """An iterator over the batches of a corpus of captions, epoch after epoch.

    Each epoch holds each caption exactly once; the order depends only on the seed and the epoch.
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
        num_threads: int = 0,
    ) -> None:
        """Start before the first batch.

        Args:
          corpus: The captions.
          images: The images of the corpus; the variants of each follow it.
          target_widths: Increasing widths to which captions are padded; the last one is at least as
            large as every caption.
          batch_size: The number of rows of a batch.
          seed: Seed of the order of the captions, and of the choice of variants.
          shuffle: Draw a new order for each epoch.
          num_epochs: Stop after this many epochs; 0: never.
          variants: The number of variants of each image. In each epoch a caption comes with a
            random one of the image and its variants.
          shard: The rows of each batch that this process makes.
          num_threads: Threads that make batches; 0: as many as there are processors.
        """
        rows_per_batch = shard.num_rows(batch_size)
        first = shard.index * rows_per_batch
        longest = int(corpus.targets.lengths.max())
        if longest > max(target_widths):
            raise ValueError(f"a caption of {longest} ids is wider than {max(target_widths)}")
        widths = tuple(map(int, target_widths))
        assigned = np.searchsorted(widths, corpus.targets.lengths)
        rows = [batch_size] * len(widths)

        def sample(epoch: int) -> list[CaptionRows]:
            order = sample_epoch(assigned, rows, seed=seed, epoch=epoch, shuffle=shuffle)
            image_of = _draw_variants(corpus.image_of, variants, seed, epoch)
            return [
                CaptionRows(widths[batch.bucket], captions, image_of[captions])
                for batch in order
                for captions in [batch.examples[first : first + rows_per_batch]]
            ]

        super().__init__(
            sample,
            lambda caption_rows: _make_batch(corpus, images, caption_rows, rows_per_batch),
            batches_per_epoch=count_batches(assigned, rows),
            settings=(corpus.digest, images.digest, widths, batch_size, seed, shuffle),
            num_epochs=num_epochs,
            num_threads=num_threads,
        )


def choose_target_widths(lengths: np.ndarray, batch_size: int) -> tuple[int, ...]:
    """Choose the widths to which captions are padded: few, as the network is compiled for each.

    Args:
      lengths: [N], the lengths of the captions, START and END included.
      batch_size: The number of rows of a batch.

    Returns:
      Increasing widths.
    """
    sources = np.full_like(lengths, _DECODER_STEPS_PER_IMAGE)
    buckets = choose_buckets(sources, lengths, BatchRows(batch_size))
    return tuple(target for _, target in buckets.shapes)


def caption_dev_batches(
    corpus: CaptionCorpus,
    images: Images,
    target_widths: Sequence[int],
    batch_size: int,
    *,
    num_threads: int = 0,
) -> Iterator[tuple[Batch, np.ndarray]]:
    """Yield the batches of one evaluation pass, width after width and in order.

    Args:
      corpus: The captions.
      images: Their images.
      target_widths: As in `ImageTrainBatches`; one more is added for captions longer than all.
      batch_size: The number of rows of a batch.
      num_threads: As in `ImageTrainBatches`.

    Yields:
      A batch, and [B] int32: the index of each row's caption, -1 for rows of padding.
    """
    lengths = corpus.targets.lengths
    widths = sorted({*map(int, target_widths), max(*target_widths, int(lengths.max()))})
    order = sequential_batches(np.searchsorted(widths, lengths), [batch_size] * len(widths))

    def make(rows: CaptionRows) -> tuple[Batch, np.ndarray]:
        batch = _make_batch(corpus, images, rows, batch_size)
        return batch, pad_indices(rows.captions, batch_size)

    rows = (
        CaptionRows(widths[batch.bucket], batch.examples, corpus.image_of[batch.examples])
        for batch in order
    )
    return prefetch(make, rows, num_threads=num_threads)


def image_batches(
    images: Images, batch_size: int, *, num_threads: int = 0
) -> Iterator[tuple[Batch, np.ndarray]]:
    """Yield batches of images to describe, each image once.

    Args:
      images: The images.
      batch_size: The number of rows of a batch.
      num_threads: As in `ImageTrainBatches`.

    Yields:
      A batch without targets, and [B] int32: the index of each row's image, -1 for rows of padding
      and for images that are broken and skipped.
    """

    def make(start: int) -> tuple[Batch, np.ndarray]:
        indices = np.arange(start, min(start + batch_size, len(images)), dtype=np.int32)
        stacked, usable = _stack(images, indices, batch_size)
        batch = {images.batch_key: stacked, "source_len": usable.astype(np.int32)}
        return batch, np.where(usable, pad_indices(indices, batch_size), np.int32(-1))

    return prefetch(make, range(0, len(images), batch_size), num_threads=num_threads)


def _draw_variants(image_of: np.ndarray, variants: int, seed: int, epoch: int) -> np.ndarray:
    """Return [N], the index of the image or the variant that comes with each caption."""
    copies_per_image = 1 + variants
    indices = image_of.astype(np.int64) * copies_per_image
    if variants:
        random = np.random.PCG64(np.random.SeedSequence([seed, epoch, copies_per_image]))
        indices += (random.random_raw(len(indices)) % copies_per_image).astype(np.int64)
    return indices


def _make_batch(corpus: CaptionCorpus, images: Images, rows: CaptionRows, batch_size: int) -> Batch:
    ids, lengths = corpus.targets.padded(rows.captions, rows.width, batch_size)
    stacked, usable = _stack(images, rows.images, batch_size)
    return {
        images.batch_key: stacked,
        "source_len": usable.astype(np.int32),
        "target_ids": ids,
        "target_len": np.where(usable, lengths, np.int32(0)),
    }


def _stack(images: Images, indices: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images [batch_size, ...], and [batch_size] bool: which rows have one."""
    stacked = np.zeros((batch_size, *images.shape), images.dtype)
    usable = np.zeros(batch_size, bool)
    for row, index in enumerate(indices):
        image = images.get(int(index))
        if image is not None:
            stacked[row], usable[row] = image, True
    return stacked, usable
