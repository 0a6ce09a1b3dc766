"""What single sentences ask of a search: a seed, how to begin, which words to use."""

from collections.abc import Sequence

import numpy as np

from seq2seq_jax.data.batches import Batch
from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.data.sampler import padded_length

__all__ = ["constraint_arrays"]


def constraint_arrays(
    indices: np.ndarray,
    rows: int,
    *,
    vocabulary_size: int,
    seeds: np.ndarray | None = None,
    prefixes: Ragged | None = None,
    allowed: Sequence[Sequence[int] | None] | None = None,
) -> Batch:
    """What a batch has beside its sources, as `decoding.Decode` takes it.

    Args:
      indices: [R], of the sentences in its first rows, among all N.
      rows: of the batch, at least R.
      seeds: [N] u32.
      prefixes: N rows of ids; their width is the same in all batches.
      allowed: N lists of ids; None for a sentence that may use all words.
    """
    arrays: Batch = {}
    if seeds is not None:
        arrays["seeds"] = np.zeros(rows, np.uint32)
        arrays["seeds"][: len(indices)] = seeds[indices]
    if prefixes is not None:
        width = padded_length(int(prefixes.lengths.max()))
        arrays["prefix_ids"], arrays["prefix_len"] = prefixes.padded(indices, width, rows)
    if allowed is not None:
        arrays["allowed"] = np.ones((rows, vocabulary_size), bool)
        for row, index in enumerate(indices):
            words = allowed[index]
            if words is not None:
                arrays["allowed"][row] = False
                arrays["allowed"][row, list(words)] = True
    return arrays
