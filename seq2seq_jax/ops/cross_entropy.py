"""Cross-entropy of a softmax, from logits or from the input of the layer that computes them.

  loss = - sum_n w_n sum_v q_n[v] log softmax(z_n)[v]
  dz_n = w_n (softmax(z_n) - q_n)

for logits z_n, weights w_n and target distributions q_n: q_n is 1 at the target t_n; or, with label
smoothing e (Szegedy et al. 2015, arXiv:1512.00567), 1 - e there, and e / V more at each token.

If the logits come from a dense layer, z_n = x_n W + b, its gradients are

  dx_n = dz_n W^T     dW = sum_n x_n^T dz_n     db = sum_n dz_n
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree, Shaped

from seq2seq_jax.ops.kernels import active_kernels
from seq2seq_jax.ops.layers import dense_gradient

ROWS = 256
"""Maximum number of positions that `linear_cross_entropy` computes at once."""


def softmax_cross_entropy(
    logits: Float[Array, "*batch V"],
    targets: Int[Array, "*batch"],
    weights: Shaped[Array, "*batch"],
    label_smoothing: float = 0.0,
) -> Float[Array, ""]:
    """Sum the weighted cross-entropy of logits.

    Reference: `jax.nn.log_softmax`. Fast: the gradient is one pass over the logits, whose memory it
    can take.

    Args:
      logits: z, [..., V].
      targets: t, integers [...].
      weights: w, [...].
      label_smoothing: e.

    Returns:
      The loss, [].
    """
    if active_kernels() == "reference":
        return reference_softmax_cross_entropy(logits, targets, weights, label_smoothing)
    return _softmax_cross_entropy(logits, targets, weights, label_smoothing)


def reference_softmax_cross_entropy(
    logits: Float[Array, "*batch V"],
    targets: Int[Array, "*batch"],
    weights: Shaped[Array, "*batch"],
    label_smoothing: float = 0.0,
) -> Float[Array, ""]:
    """Compute `softmax_cross_entropy` as its equation says; arguments and result are the same."""
    log_probs = jax.nn.log_softmax(logits)
    of_target = jnp.take_along_axis(log_probs, targets[..., None], axis=-1)[..., 0]
    of_all = jnp.mean(log_probs, axis=-1)
    losses = -(1 - label_smoothing) * of_target - label_smoothing * of_all
    return jnp.sum(losses * weights)


def linear_cross_entropy(
    x: Float[Array, "B T D"],
    kernel: Float[Array, "D V"],
    bias: Float[Array, " V"],
    targets: Int[Array, "B T"],
    lengths: Int[Array, " B"],
    label_smoothing: float = 0.0,
) -> Float[Array, ""]:
    """Sum the cross-entropy of the logits x W + b over all positions that are not padding.

    The layer to the vocabulary is half of the work of a small model, and a third of the positions
    of a batch may be padding.

    Reference: all logits, then `reference_softmax_cross_entropy`. Fast: real positions are moved to
    the front, and a loop computes logits, loss and gradients of up to `ROWS` positions at a time.
    There is never an array [B, T, V], and no work is done for padding. It requires all rows of the
    batch on one device.

    Args:
      x: [B, T, D].
      kernel: W, [D, V]. Products are computed in the type of x.
      bias: b, [V].
      targets: t, integers [B, T].
      lengths: [B], the number of positions of each row that are not padding.
      label_smoothing: e.

    Returns:
      The loss, [], in float32 at least.
    """
    if active_kernels() == "reference":
        return reference_linear_cross_entropy(x, kernel, bias, targets, lengths, label_smoothing)
    return _linear_cross_entropy(x, kernel, bias, targets, lengths, label_smoothing)


def reference_linear_cross_entropy(
    x: Float[Array, "B T D"],
    kernel: Float[Array, "D V"],
    bias: Float[Array, " V"],
    targets: Int[Array, "B T"],
    lengths: Int[Array, " B"],
    label_smoothing: float = 0.0,
) -> Float[Array, ""]:
    """Compute `linear_cross_entropy` from all logits; arguments and result are the same."""
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    logits = jnp.dot(x, kernel.astype(x.dtype), preferred_element_type=dtype) + bias
    weights = jnp.arange(x.shape[1]) < lengths[:, None]
    return reference_softmax_cross_entropy(logits, targets, weights, label_smoothing)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _softmax_cross_entropy(
    logits: Array, targets: Array, weights: Array, label_smoothing: float
) -> Array:
    return _softmax_forward(logits, targets, weights, label_smoothing)[0]


def _softmax_forward(
    logits: Array, targets: Array, weights: Array, label_smoothing: float
) -> tuple[Array, PyTree]:
    largest = jnp.max(logits, axis=-1, keepdims=True)
    # On a CPU a product with ones is a faster sum.
    sums = jnp.exp(logits - largest) @ jnp.ones(logits.shape[-1], logits.dtype)
    log_sums = largest[..., 0] + jnp.log(sums)
    of_target = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    losses = log_sums - (1 - label_smoothing) * of_target
    if label_smoothing:
        losses = losses - label_smoothing * jnp.mean(logits, axis=-1)
    return jnp.sum(losses * weights), (logits, targets, weights, log_sums)


def _softmax_backward(
    label_smoothing: float, residuals: PyTree, d_loss: Array
) -> tuple[Array, None, None]:
    logits, targets, weights, log_sums = residuals
    is_target = jnp.arange(logits.shape[-1]) == targets[..., None]
    q = jnp.where(is_target, 1 - label_smoothing, 0) + label_smoothing / logits.shape[-1]
    softmax = jnp.exp(logits - log_sums[..., None])
    return (softmax - q) * (weights * d_loss)[..., None], None, None


_softmax_cross_entropy.defvjp(_softmax_forward, _softmax_backward)


@partial(jax.custom_vjp, nondiff_argnums=(5,))
def _linear_cross_entropy(
    x: Array, kernel: Array, bias: Array, targets: Array, lengths: Array, label_smoothing: float
) -> Array:
    return _linear_forward(x, kernel, bias, targets, lengths, label_smoothing)[0]


def _linear_forward(
    x: Array, kernel: Array, bias: Array, targets: Array, lengths: Array, label_smoothing: float
) -> tuple[Array, PyTree]:
    batch, steps, width = x.shape
    real = (jnp.arange(steps) < lengths[:, None]).ravel()
    order = jnp.argsort(~real)  # The sort is stable: real positions stay in order.
    rows = _rows_per_turn(batch * steps)
    padding = -batch * steps % rows
    all_x = jnp.pad(x.reshape(-1, width)[order], ((0, padding), (0, 0)))
    all_targets = jnp.pad(jnp.ravel(targets)[order], (0, padding))
    count = jnp.sum(real)
    weights = kernel.astype(x.dtype)
    transposed = weights.T  # Once, and not in each turn.

    def add_rows(i: Array, sums: PyTree) -> PyTree:
        loss, all_dx, d_kernel, d_bias = sums
        x_i = jax.lax.dynamic_slice_in_dim(all_x, i * rows, rows)
        targets_i = jax.lax.dynamic_slice_in_dim(all_targets, i * rows, rows)
        is_real = (i * rows + jnp.arange(rows) < count).astype(loss.dtype)
        logits = jnp.dot(x_i, weights, preferred_element_type=loss.dtype) + bias
        loss_i, residuals = _softmax_forward(logits, targets_i, is_real, label_smoothing)
        dz = _softmax_backward(label_smoothing, residuals, jnp.ones_like(loss_i))[0]
        dz = dz.astype(x.dtype)
        all_dx = jax.lax.dynamic_update_slice_in_dim(all_dx, dz @ transposed, i * rows, axis=0)
        d_kernel_i, d_bias_i = dense_gradient(x_i, dz)
        return loss + loss_i, all_dx, d_kernel + d_kernel_i, d_bias + d_bias_i

    zeros = (
        jnp.zeros((), jnp.promote_types(x.dtype, jnp.float32)),
        jnp.zeros_like(all_x),
        jnp.zeros_like(kernel),
        jnp.zeros_like(bias),
    )
    turns = (count + rows - 1) // rows
    loss, all_dx, d_kernel, d_bias = jax.lax.fori_loop(0, turns, add_rows, zeros)
    dx = all_dx[jnp.argsort(order)].reshape(x.shape)
    return loss, (dx, d_kernel, d_bias)


def _linear_backward(label_smoothing: float, gradients: PyTree, d_loss: Array) -> PyTree:
    return *((gradient * d_loss).astype(gradient.dtype) for gradient in gradients), None, None


_linear_cross_entropy.defvjp(_linear_forward, _linear_backward)


def _rows_per_turn(positions: int) -> int:
    """Divide positions into equal turns of a multiple of 8, so that no turn is half empty."""
    turns = -(-positions // ROWS)
    return -(-positions // (8 * turns)) * 8
