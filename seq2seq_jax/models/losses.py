"""What training minimises, and evaluation reports."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

Array = jax.Array

Batch = Mapping[str, Any]
"""source_ids [B, S], source_len [B], target_ids [B, T] from SEQUENCE_START to SEQUENCE_END,
target_len [B]; a row of length 0 fills the batch and counts for nothing."""


def loss_sums(
    model: nn.Module,
    params: Any,
    batch: Batch,
    dropout_key: Array | None = None,
    *,
    label_smoothing: float = 0.0,
) -> tuple[Array, Array]:
    """Summed cross-entropy of a batch under teacher forcing, and its number of target tokens.

    With a `dropout_key` the model is in training, without one in evaluation.
    """
    target_ids = batch["target_ids"]
    output: Any = model.apply(
        {"params": params},
        batch["source_ids"],
        batch["source_len"],
        target_ids[:, :-1],
        train=dropout_key is not None,
        rngs={} if dropout_key is None else {"dropout": dropout_key},
    )
    lengths = jnp.maximum(batch["target_len"] - 1, 0)  # SEQUENCE_START is given, not predicted
    return cross_entropy(output.logits, target_ids[:, 1:], lengths, label_smoothing)


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
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    if label_smoothing:
        of_all_words = jax.nn.logsumexp(logits, axis=-1) - jnp.mean(logits, axis=-1)
        losses = (1 - label_smoothing) * losses + label_smoothing * of_all_words
    return jnp.sum(jnp.where(real, losses, 0)), jnp.sum(lengths)
