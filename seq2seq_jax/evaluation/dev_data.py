"""A dev set in batches, whatever its sources are."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from seq2seq_jax.data.batches import Batch, dev_batches, source_batches
from seq2seq_jax.data.buckets import BatchRows, make_buckets
from seq2seq_jax.data.dev_set import DevSet


class DevData(NamedTuple):
    """
    Attributes:
      pairs: gives a pass over all examples, to be scored by teacher forcing.
      sources: gives a pass over the different sources, to be decoded, each batch with the index of
        each row's source, -1 for rows that fill up.
      names: of the sources, for people: their texts.
      references: the target texts of each source.
    """

    pairs: Callable[[], Iterator[Batch]]
    sources: Callable[[], Iterator[tuple[Batch, np.ndarray]]]
    names: list[str]
    references: list[list[str]]


def text_dev_data(dev_set: DevSet, boundaries: str, batch_size: int) -> DevData:
    """Args:
    boundaries: of buckets for the pairs, as in `buckets.make_buckets`.
    batch_size: rows of every batch.
    """
    corpus = dev_set.corpus
    buckets = make_buckets(
        boundaries, corpus.source.lengths, corpus.target.lengths, BatchRows(batch_size)
    )
    return DevData(
        pairs=lambda: (batch for batch, _ in dev_batches(corpus, buckets)),
        sources=lambda: source_batches(corpus.source, batch_size, dev_set.rows),
        names=dev_set.sources,
        references=dev_set.references,
    )
