"""Pytrees as arrays with dotted names, as they are stored on disk."""

import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from seq2seq_jax.utils.errors import UserError


def named_arrays(tree: PyTree) -> dict[str, np.ndarray]:
    """Return the leaves of a pytree on the host by their dotted names.

    Args:
      tree: A pytree of arrays and numbers.

    Returns:
      The arrays by name, such as `params.encoder.kernel`.

    Raises:
      ValueError: Two leaves have the same dotted name.

    Example:
      >>> named_arrays({"encoder": {"bias": 0.5}})
      {'encoder.bias': array(0.5)}
    """
    return {name: np.asarray(leaf) for name, leaf in _named_leaves(tree).items()}


def named_shapes(tree: PyTree) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the leaves of a pytree by their dotted names.

    Args:
      tree: A pytree of arrays, numbers or `jax.ShapeDtypeStruct`.

    Example:
      >>> named_shapes({"encoder": {"kernel": np.zeros((2, 3))}})
      {'encoder.kernel': (2, 3)}
    """
    return {name: tuple(np.shape(leaf)) for name, leaf in _named_leaves(tree).items()}


def into_template(template: PyTree, arrays: Mapping[str, np.ndarray], where: str) -> PyTree:
    """Put named arrays into the structure of a template.

    Args:
      template: A pytree of arrays or `jax.ShapeDtypeStruct`. It may be a part of what was saved,
        such as `{"params": ...}` of a train state; the rest is then left out.
      arrays: The arrays by their dotted names, as `named_arrays` returns them.
      where: The file that the arrays come from, for errors.

    Returns:
      A pytree with the structure of the template.

    Raises:
      UserError: An array is missing, or has another shape or dtype than in the template.
    """
    filled = []
    for name, leaf in _named_leaves(template).items():
        if name not in arrays:
            raise UserError(where, f"has no {name}, which this configuration's model has")
        array, expected = arrays[name], leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
        if (array.shape, array.dtype) != (tuple(expected.shape), expected.dtype):
            raise UserError(
                where,
                f"{name} is {array.dtype.name} {array.shape} here but {expected.dtype.name} "
                f"{tuple(expected.shape)} in this configuration's model",
            )
        filled.append(array)
    return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(template), filled)


def digest(tree: PyTree) -> str:
    """Return the SHA-256 of all leaves: of their names, shapes, dtypes and bytes.

    Args:
      tree: A pytree of arrays and numbers.

    Returns:
      The digest in hexadecimal. It does not depend on the order of the leaves.
    """
    sha = hashlib.sha256()
    for name, array in sorted(named_arrays(tree).items()):
        sha.update(f"{name} {array.shape} {array.dtype.name}\n".encode())
        sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def _named_leaves(tree: PyTree) -> dict[str, Any]:
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    named = {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}
    if len(named) != len(leaves):
        raise ValueError("two leaves of the tree have the same dotted name")
    return named
