"""The layers that a step of an RNN scan calls: its dense layers, its dropout and their masks."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, PyTree

from seq2seq_jax.ops.dropout_masks import draw_mask
from seq2seq_jax.ops.layers import Dense, Dropout, Path, apply_mask, dense_dtype, intercept_layers

Step = Callable[[PyTree, PyTree, PyTree, PyTree], tuple[PyTree, PyTree]]
"""`state, y_t = step(module, state, x_t, memory)`."""

Masks = dict[Path, Array]
"""Dropout masks by the path from the module to the layer."""


class DenseCall(NamedTuple):
    """A call of a dense layer.

    Attributes:
      shape: The shape of the input.
      dtype: The type of the product.
      leaf: If the input is one of the leaves of x_t, which one.
    """

    shape: tuple[int, ...]
    dtype: Any
    leaf: int | None


class StepLayers(NamedTuple):
    """The layers that a step calls exactly once, by the path from the module.

    Attributes:
      dense: The dense layers.
      dropout: The dropout layers, each with the shape of its input.
    """

    dense: dict[Path, DenseCall]
    dropout: dict[Path, tuple[tuple[int, ...], Dropout]]


def find_layers(
    step: Step, module: nn.Module, state: PyTree, first: PyTree, memory: PyTree
) -> StepLayers:
    """Trace one step, without computing it, to find its layers.

    Args:
      step: The step function.
      module: A bound module.
      state: The state before the step.
      first: The step's input.
      memory: What is the same at every step.

    Returns:
      The layers.
    """
    unbound, variables = module.unbind()
    calls: dict[Path, list[PyTree]] = {}
    rngs = {"dropout": jax.random.key(0)} if module.has_rng("dropout") else {}

    def run(module: nn.Module, state: PyTree, x: PyTree, memory: PyTree) -> PyTree:
        leaves = jax.tree.leaves(x)

        def record(path: Path, layer: nn.Module, x: Array, compute: Callable[[], Array]) -> Array:
            if isinstance(layer, Dropout):
                calls.setdefault(path, []).append((x.shape, layer))
            elif isinstance(layer, Dense):
                leaf = next((i for i, leaf in enumerate(leaves) if leaf is x), None)
                dtype = dense_dtype(x, layer.get_variable("params", "kernel"))
                calls.setdefault(path, []).append(DenseCall(x.shape, dtype, leaf))
            return compute()

        with intercept_layers(module, record):
            return step(module, state, x, memory)

    def apply(variables: PyTree, state: PyTree, x: PyTree, memory: PyTree) -> PyTree:
        return unbound.apply(variables, state, x, memory, rngs=rngs, method=run)

    jax.eval_shape(apply, variables, state, first, memory)
    once = {path: found[0] for path, found in calls.items() if len(found) == 1}
    of_dense = {path: call for path, call in once.items() if isinstance(call, DenseCall)}
    return StepLayers(of_dense, {path: once[path] for path in once.keys() - of_dense.keys()})


def draw_masks(key: Array | None, layers: StepLayers, num_steps: int) -> tuple[Masks, Array | None]:
    """Draw the dropout masks of all steps.

    Args:
      key: The random key; None: no masks.
      layers: The step's layers.
      num_steps: T.

    Returns:
      The masks, [T, ...], and a key per step for other random numbers, [T].
    """
    if key is None:
        return {}, None
    key, *keys = jax.random.split(key, 1 + len(layers.dropout))
    masks = {}
    for (path, (shape, layer)), own in zip(sorted(layers.dropout.items()), keys, strict=True):
        different = 1 if layer.per_sequence else num_steps
        mask = draw_mask(own, 1 - layer.rate, (different, *shape))
        masks[path] = jnp.broadcast_to(mask, (num_steps, *shape))
    return masks, jax.random.split(key, num_steps)


def use_masks(module: nn.Module, masks: Masks) -> AbstractContextManager[None]:
    """Let the dropout layers below a module use these masks while the context is active.

    Args:
      module: The module, bound.
      masks: The masks of one step.
    """

    def replace(path: Path, layer: nn.Module, x: Array, compute: Callable[[], Array]) -> PyTree:
        if isinstance(layer, Dropout) and path in masks:
            return apply_mask(x, masks[path], layer.rate)
        return compute()

    return intercept_layers(module, replace)
