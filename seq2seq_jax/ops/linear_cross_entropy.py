"""The loss of all words of a batch, from what the layer before the vocabulary gives.

The vocabulary's layer is half of the work of a small model, and a third of the positions of a batch
may be padding. So the real positions are put in front, and some hundreds at a time are worked
through until none is left: logits, loss, and their way back at once, of which no more than the
gradients remains. There is never a [B, T, V] in memory.

  z_n = x_n W + b
  loss = - sum_n log softmax(z_n)[target_n]     (with label smoothing as in `losses.cross_entropy`)
  dz_n = softmax(z_n) - target_n
  dx_n = dz_n W^T     dW = sum_n x_n^T dz_n     db = sum_n dz_n
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from seq2seq_jax.ops.layers import dense_gradient
from seq2seq_jax.ops.softmax_cross_entropy import loss_and_gradient

__all__ = ["ROWS", "linear_cross_entropy"]

Array = jax.Array

ROWS = 256
"""Positions that are worked through at once, at the most."""


@partial(jax.custom_vjp, nondiff_argnums=(5,))
def linear_cross_entropy(
    features: Array,
    kernel: Array,
    bias: Array,
    targets: Array,
    lengths: Array,
    label_smoothing: float = 0.0,
) -> Array:
    """As `losses.cross_entropy` of the logits: features [B, T, D], kernel [D, V], bias [V], targets
    [B, T], lengths [B] -> the sum over real positions. It pays where all rows are on one device."""
    return _forward(features, kernel, bias, targets, lengths, label_smoothing)[0]


def _forward(features, kernel, bias, targets, lengths, label_smoothing):
    batch, steps, width = features.shape
    real = (jnp.arange(steps) < lengths[:, None]).ravel()
    order = jnp.argsort(~real)  # stable: the real ones stay in order
    rows = _rows(batch * steps)
    fill = -batch * steps % rows
    x_of_all = jnp.pad(features.reshape(-1, width)[order], ((0, fill), (0, 0)))
    target_of_all = jnp.pad(jnp.ravel(targets)[order], (0, fill))
    count = jnp.sum(real)
    weights = kernel.astype(features.dtype)
    transposed = weights.T  # once, not in each turn

    def add_rows(i: Array, so_far: Any) -> Any:
        loss, dx_of_all, d_kernel, d_bias = so_far
        x = jax.lax.dynamic_slice_in_dim(x_of_all, i * rows, rows)
        target = jax.lax.dynamic_slice_in_dim(target_of_all, i * rows, rows)
        is_real = (i * rows + jnp.arange(rows) < count).astype(loss.dtype)
        logits = jnp.dot(x, weights, preferred_element_type=loss.dtype) + bias
        losses, d_logits = loss_and_gradient(logits, target, is_real, label_smoothing)
        d_logits = d_logits.astype(x.dtype)
        dx_of_all = jax.lax.dynamic_update_slice_in_dim(
            dx_of_all, d_logits @ transposed, i * rows, axis=0
        )
        more_kernel, more_bias = dense_gradient(x, d_logits)
        return loss + losses, dx_of_all, d_kernel + more_kernel, d_bias + more_bias

    nothing = (
        jnp.zeros((), jnp.promote_types(features.dtype, jnp.float32)),
        jnp.zeros_like(x_of_all),
        jnp.zeros_like(kernel),
        jnp.zeros_like(bias),
    )
    turns = (count + rows - 1) // rows
    loss, dx_of_all, d_kernel, d_bias = jax.lax.fori_loop(0, turns, add_rows, nothing)
    d_features = dx_of_all[jnp.argsort(order)].reshape(features.shape)
    return loss, (d_features, d_kernel, d_bias)


def _rows(positions: int) -> int:
    """Equal parts, so that a batch without padding leaves no turn half empty; a multiple of 8."""
    turns = -(-positions // ROWS)
    return -(-positions // (8 * turns)) * 8


def _backward(label_smoothing, gradients, d_loss):
    return *((gradient * d_loss).astype(gradient.dtype) for gradient in gradients), None, None


linear_cross_entropy.defvjp(_forward, _backward)
