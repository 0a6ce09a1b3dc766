"""Cross-entropy of logits, and its gradient written out.

  loss = - sum_n weight_n sum_v q_n[v] log softmax(z_n)[v]
  dz_n = weight_n (softmax(z_n) - q_n)

where q_n is 1 at the target; or, with label smoothing e, 1 - e there and e / V more at each word.
"""

from functools import partial

import jax
import jax.numpy as jnp

__all__ = ["loss_and_gradient", "softmax_loss"]

Array = jax.Array


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def softmax_loss(logits: Array, targets: Array, weights: Array, label_smoothing: float) -> Array:
    """logits [..., V], targets and weights [...] -> the sum; the way back is one pass over the
    logits that can take their place in memory."""
    return _forward(logits, targets, weights, label_smoothing)[0]


def loss_and_gradient(
    logits: Array, targets: Array, weights: Array, label_smoothing: float
) -> tuple[Array, Array]:
    """As `softmax_loss`, with the gradient, like the logits."""
    loss, residuals = _forward(logits, targets, weights, label_smoothing)
    return loss, _backward(label_smoothing, residuals, jnp.ones_like(loss))[0]


def _forward(logits, targets, weights, label_smoothing):
    largest = jnp.max(logits, axis=-1, keepdims=True)
    # A product with ones is the quicker sum.
    sums = jnp.exp(logits - largest) @ jnp.ones(logits.shape[-1], logits.dtype)
    log_sums = largest[..., 0] + jnp.log(sums)
    of_target = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    losses = log_sums - (1 - label_smoothing) * of_target
    if label_smoothing:
        losses = losses - label_smoothing * jnp.mean(logits, axis=-1)
    return jnp.sum(losses * weights), (logits, targets, weights, log_sums)


def _backward(label_smoothing, residuals, d_loss):
    logits, targets, weights, log_sums = residuals
    words = jnp.arange(logits.shape[-1])
    target = jnp.where(words == targets[..., None], 1 - label_smoothing, 0)
    target = target + label_smoothing / logits.shape[-1]
    softmax = jnp.exp(logits - log_sums[..., None])
    return (softmax - target) * (weights * d_loss)[..., None], None, None


softmax_loss.defvjp(_forward, _backward)
