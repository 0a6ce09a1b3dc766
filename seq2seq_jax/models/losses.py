"""What training minimises, and evaluation reports."""

from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from seq2seq_jax.models.sources import Batch, Collections, source_of

Array = jax.Array


def loss_sums(
    model: nn.Module,
    params: Any,
    batch: Batch,
) -> tuple[Array, Array]:
    """Summed cross-entropy of a batch under teacher forcing, and its number of target tokens."""
    output: Any = model.apply({"params": params}, *source_of(batch), batch["target_ids"][:, :-1])
    return _of_batch(output.logits, batch)


def training_loss_sums(
    model: nn.Module,
    params: Any,
    batch: Batch,
    dropout_key: Array,
    *,
    label_smoothing: float = 0.0,
    collections: Collections = MappingProxyType({}),
) -> tuple[Array, tuple[Array, Any]]:
    """As `loss_sums`, of a model in training.

    Returns:
      The loss; and the number of tokens with the new `batch_stats`, which are the old ones moved a
      little towards this batch's.
    """
    output: Any
    output, moved = model.apply(
        {"params": params, **collections},
        *source_of(batch),
        batch["target_ids"][:, :-1],
        train=True,
        rngs={"dropout": dropout_key},
        mutable=["batch_stats"],
    )
    loss, tokens = _of_batch(output.logits, batch, label_smoothing)
    return loss, (tokens, moved.get("batch_stats", {}))


def cross_entropy(
    logits: Array, targets: Array, lengths: Array, label_smoothing: float = 0.0
) -> tuple[Array, Array]:
    """Summed over the real positions, and their number.

      loss = - sum_{b, t < lengths_b} log softmax(logits_bt)[targets_bt]
      tokens = sum_b lengths_b

    for logits [B, T, V], targets [B, T], lengths [B]. With label smoothing e (Szegedy et al. 2015,
    arXiv:1512.00567) the target is 1 - e on the word and e / V on each of the V words:

      loss = - sum_{b, t < lengths_b} (1 - e) log p[targets_bt] + e / V sum_v log p[v]

    Sums, not means: whoever joins several batches or devices divides once, at the end.
    """
    real = jnp.arange(targets.shape[1]) < lengths[:, None]
    logits = jnp.asarray(logits)
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    weights = real.astype(logits.dtype)
    loss = _weighted_cross_entropy(logits, targets, weights, label_smoothing)
    return loss, jnp.sum(lengths)


def _of_batch(logits: Array, batch: Batch, label_smoothing: float = 0.0) -> tuple[Array, Array]:
    lengths = jnp.maximum(batch["target_len"] - 1, 0)  # SEQUENCE_START is given, not predicted
    return cross_entropy(logits, batch["target_ids"][:, 1:], lengths, label_smoothing)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _weighted_cross_entropy(
    logits: Array, targets: Array, weights: Array, label_smoothing: float
) -> Array:
    """Weighted sum over all positions. The way back, d logits = (softmax - target) weight d loss,
    is written out, as one pass over the logits that can take their place in memory."""
    return _cross_entropy_forward(logits, targets, weights, label_smoothing)[0]


def _cross_entropy_forward(logits, targets, weights, label_smoothing):
    largest = jnp.max(logits, axis=-1, keepdims=True)
    # A product with ones is the quicker sum.
    sums = jnp.exp(logits - largest) @ jnp.ones(logits.shape[-1], logits.dtype)
    log_sums = largest[..., 0] + jnp.log(sums)
    of_target = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    losses = log_sums - (1 - label_smoothing) * of_target
    if label_smoothing:
        losses = losses - label_smoothing * jnp.mean(logits, axis=-1)
    return jnp.sum(losses * weights), (logits, targets, weights, log_sums)


def _cross_entropy_backward(label_smoothing, residuals, d_loss):
    logits, targets, weights, log_sums = residuals
    words = jnp.arange(logits.shape[-1])
    target = jnp.where(words == targets[..., None], 1 - label_smoothing, 0)
    target = target + label_smoothing / logits.shape[-1]
    softmax = jnp.exp(logits - log_sums[..., None])
    return (softmax - target) * (weights * d_loss)[..., None], None, None


_weighted_cross_entropy.defvjp(_cross_entropy_forward, _cross_entropy_backward)
