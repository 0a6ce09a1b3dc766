"""Weights of fewer bits: int8 with one scale per channel, and float16.

A matrix W is stored as int8 q with a float32 scale s for each output channel:

  s = max |W| / 127     q = round(W / s)     W is computed with as q s

A dense layer's channel is a column of its kernel, an embedding's a row of its table. Vectors, such
as biases, are few and stay float32. Arithmetic is that of float32.
"""

from collections.abc import Mapping

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import PyTree

SCALE_SUFFIX = ".scale_of_int8"
"""The scales of the int8 array `name` are stored as the array `name` with this suffix."""

PRECISIONS = ("float32", "float16", "int8")


def quantize(array: np.ndarray, *, channel_axis: int = -1) -> tuple[np.ndarray, np.ndarray]:
    """Round an array to int8, with one scale per channel.

    Args:
      array: float32, of any shape of two axes or more.
      channel_axis: The axis of the channels.

    Returns:
      The int8 array, and its float32 scales, which broadcast to it. A channel of zeros has scale 0.

    Example:
      >>> rounded, scale = quantize(np.array([[1.0, -2.0], [0.5, 4.0]], np.float32))
      >>> rounded.tolist()
      [[127, -64], [64, 127]]
    """
    others = tuple(i for i in range(array.ndim) if i != channel_axis % array.ndim)
    scale = (np.max(np.abs(array), axis=others, keepdims=True) / 127).astype(np.float32)
    rounded = np.rint(array / np.where(scale > 0, scale, 1))
    return np.clip(rounded, -127, 127).astype(np.int8), scale


def store(arrays: Mapping[str, np.ndarray], precision: str) -> dict[str, np.ndarray]:
    """Return named weights in the form in which a file holds them.

    Args:
      arrays: float32 weights by dotted name.
      precision: One of `PRECISIONS`.

    Returns:
      The arrays; for int8 also their scales, under their names and `SCALE_SUFFIX`.
    """
    stored: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if precision == "float32" or array.ndim < 2:
            stored[name] = array.astype(np.float32)
        elif precision == "float16":
            stored[name] = array.astype(np.float16)
        else:
            axis = 0 if name.endswith(".embedding") else -1
            stored[name], stored[name + SCALE_SUFFIX] = quantize(array, channel_axis=axis)
    return stored


def restore(stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the float32 weights that a program computes with.

    Args:
      stored: What `store` returned.

    Returns:
      float32 weights by dotted name.
    """
    return {
        name: array.astype(np.float32) * stored.get(name + SCALE_SUFFIX, np.float32(1))
        for name, array in stored.items()
        if not name.endswith(SCALE_SUFFIX)
    }


def round_params(params: PyTree, precision: str) -> PyTree:
    """Return parameters as float32 with the values that `precision` can hold.

    Args:
      params: Nested parameters.
      precision: One of `PRECISIONS`.

    Returns:
      Parameters of the same structure; the same object for float32.
    """
    if precision == "float32":
        return params
    arrays = {name: np.asarray(leaf) for name, leaf in flatten_dict(params, sep=".").items()}
    return unflatten_dict(restore(store(arrays, precision)), sep=".")
