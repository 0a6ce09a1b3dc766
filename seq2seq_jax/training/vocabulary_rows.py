"""Rows of arrays that belong to tokens: taken from another vocabulary by token.

The axes of vocabularies are found by building the model with one more token on either side, so that
this works for every model.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from jaxtyping import PyTree
from ml_collections import ConfigDict

from seq2seq_jax.data.vocabulary import SPECIAL_TOKENS, Vocabulary
from seq2seq_jax.models.build import build_model, variable_shapes
from seq2seq_jax.storage.arrays import named_shapes
from seq2seq_jax.storage.workdir import Vocabularies

Rows: TypeAlias = Mapping[str, list[tuple[int, np.ndarray]]]
"""Name of an array -> for each axis of a changed vocabulary: (axis, index).

The index has the size of the new vocabulary. It holds the old row of each new one, or -1.
"""


def vocabulary_rows(
    config: ConfigDict, old_vocabularies: Vocabularies, vocabularies: Vocabularies, shapes: PyTree
) -> Rows:
    """Return the axes of vocabularies that changed, and the old row of each new row.

    Args:
      config: The resolved configuration of the new model.
      old_vocabularies: The vocabularies of the old model.
      vocabularies: The vocabularies of the new model.
      shapes: The shapes of the parameters of the new model.

    Returns:
      The rows of each parameter that has an axis of a changed vocabulary.
    """
    rows: dict[str, list[tuple[int, np.ndarray]]] = {}
    sizes = vocabularies.sizes
    for i, (old, new) in enumerate(zip(old_vocabularies, vocabularies, strict=True)):
        if old is None or new is None or old == new or not new.tokens:
            continue
        shared = (0, 1) if config.embedding.share and i < 2 else (i,)
        more = [size + (j in shared) for j, size in enumerate(sizes)]
        other = named_shapes(variable_shapes(build_model(config, *more))["params"])
        for name, shape in named_shapes(shapes).items():
            for axis in range(len(shape)):
                known = [known for known, _ in rows.get(name, [])]
                if other[name][axis] != shape[axis] and axis not in known:
                    rows.setdefault(name, []).append((axis, _old_ids(old, new)))
    return rows


def remap_rows(
    array: np.ndarray, rows: Rows, name: str, drawn: Mapping[str, np.ndarray] | None = None
) -> np.ndarray:
    """Return an array with the rows of the new vocabularies.

    Args:
      array: The array with the rows of the old vocabularies.
      rows: What `vocabulary_rows` returned.
      name: The parameter whose rows the array has; "" for none.
      drawn: Newly drawn parameters by name. A new row is the mean of the old ones plus what was
        drawn for it; without them, it is zero.

    Returns:
      The array; the same one if it has no such rows.
    """
    for axis, index in rows.get(name, []):
        if array.ndim <= axis or array.shape[axis] <= index.max(initial=-1):
            continue  # The state of an optimizer that stores something else than moments.
        new = np.take(array, np.maximum(index, 0), axis)
        fresh = np.moveaxis(np.zeros_like(new), axis, 0)
        if drawn is not None:
            mean = np.mean(array, axis=axis, dtype=np.float64)
            fresh = (np.moveaxis(drawn[name], axis, 0) + mean).astype(array.dtype)
        rowwise = np.moveaxis(new, axis, 0)  # A view, so that the assignment changes `new`.
        rowwise[index < 0] = fresh[index < 0]
        array = new
    return array


def _old_ids(old: Vocabulary, new: Vocabulary) -> np.ndarray:
    """Return [new size], the old id of each new id, special tokens included; -1 for a new token."""
    known = {token: i for i, token in enumerate((*old.tokens, *SPECIAL_TOKENS))}
    return np.array([known.get(token, -1) for token in (*new.tokens, *SPECIAL_TOKENS)])
