"""Dense layers and dropout that a loop over time can take work away from.

Outside `time_loop.scan_over_time` they are what Flax's are, with the same parameters. Inside, the
loop hands each layer what it has made ready before its first step, and the layer hands out what
the loop needs after its last one; both go through Flax's collections of variables.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from flax.linen.dtypes import promote_dtype

from seq2seq_jax.ops.dropout_masks import draw_mask

__all__ = [
    "MADE_READY",
    "SEEN",
    "Dense",
    "Dropout",
    "LoopWeights",
    "column_sums",
    "compute_dtype",
    "computing_in",
]

Array = jax.Array

MADE_READY = "made_ready"
"""What a layer finds in a loop: "weights" (`LoopWeights`) or "mask" (an array of bool)."""
SEEN = "seen"
"""What it hands out: "dense" (its inputs) or "dropout" (`Dropped`)."""


_dtype: ContextVar[Any] = ContextVar("dtype", default=None)


@contextmanager
def computing_in(dtype: Any) -> Iterator[None]:
    """Dense layers that are traced meanwhile multiply in this type (None: that of their inputs and
    weights). Weights stay what they are, and so do the states of cells."""
    token = _dtype.set(dtype)
    try:
        yield
    finally:
        _dtype.reset(token)


def compute_dtype() -> Any:
    """That of `computing_in`."""
    return _dtype.get()


class LoopWeights(struct.PyTreeNode):
    """
    Attributes:
      transposed: [O, I], the kernel's; made once, where each step would make it again.
      tap: [..., O], like the output; its gradient is the output's, and its value is not used.
    """

    transposed: Array | None
    tap: Array


class Dropped(struct.PyTreeNode):
    """
    Attributes:
      per_sequence: see `Dropout`.
    """

    inputs: Array
    keep_prob: float = struct.field(pytree_node=False)
    per_sequence: bool = struct.field(pytree_node=False)


class Dense(nn.Module):
    """y = x W + b, for x [..., I]. The way back:

      dx = dy W^T
      dW = sum x^T dy      db = sum dy

    In a loop over time dW and db are left to the loop.
    """

    features: int
    use_bias: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias_init: nn.initializers.Initializer = nn.initializers.zeros

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        bias = self.param("bias", self.bias_init, (self.features,)) if self.use_bias else None
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=compute_dtype())
        self.sow(SEEN, "dense", x)
        ready: LoopWeights | None = self.get_variable(MADE_READY, "weights")
        if ready is None:
            return _dense(x, kernel, bias)
        return _dense_in_loop(x, kernel, bias, ready)


class Dropout(nn.Module):
    """Keeps each number with the probability 1 - rate, divided by it; the others become zero.

    `per_sequence` drops the same at all steps of a sequence, of x [T, B, D] or [B, D] at each step
    (Gal and Ghahramani 2016, arXiv:1512.05287); otherwise each step draws anew.
    """

    rate: float
    per_sequence: bool = False

    @nn.compact
    def __call__(self, x: Array, *, deterministic: bool) -> Array:
        if deterministic or self.rate == 0:
            return x
        keep_prob = 1 - self.rate
        mask: Array | None = self.get_variable(MADE_READY, "mask")
        if mask is None:
            self.sow(SEEN, "dropout", Dropped(x, keep_prob, self.per_sequence))
            shape = x.shape[-2:] if self.per_sequence else x.shape
            mask = draw_mask(self.make_rng("dropout"), keep_prob, shape)
        return jnp.where(mask, x / keep_prob, 0)


def dense_gradient(x: Array, dy: Array) -> tuple[Array, Array]:
    """dW, db of a dense layer."""
    over = tuple(range(x.ndim - 1))
    return jnp.tensordot(x, dy, (over, over)), column_sums(dy)


def column_sums(x: Array) -> Array:
    """Of [..., D] over all axes but the last, as a product with ones: on a CPU up to 16 times
    faster than XLA's sum, which goes down each column."""
    over = tuple(range(x.ndim - 1))
    return jnp.tensordot(jnp.ones(x.shape[:-1], x.dtype), x, (over, over), precision="highest")


@jax.custom_vjp
def _dense(x: Array, kernel: Array, bias: Array | None) -> Array:
    y = x @ kernel
    return y if bias is None else y + bias


def _dense_forward(x, kernel, bias):
    return _dense(x, kernel, bias), (x, kernel, bias)


def _dense_backward(residuals, dy):
    x, kernel, bias = residuals
    d_kernel, d_bias = dense_gradient(x, dy)
    return dy @ kernel.T, d_kernel, None if bias is None else d_bias


_dense.defvjp(_dense_forward, _dense_backward)


@jax.custom_vjp
def _dense_in_loop(x: Array, kernel: Array, bias: Array | None, ready: LoopWeights) -> Array:
    return _dense(x, kernel, bias)


def _dense_in_loop_forward(x, kernel, bias, ready):
    return _dense(x, kernel, bias), ready.transposed


def _dense_in_loop_backward(transposed, dy):
    return dy @ transposed, None, None, LoopWeights(None, tap=dy)


_dense_in_loop.defvjp(_dense_in_loop_forward, _dense_in_loop_backward)
