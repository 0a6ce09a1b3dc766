"""What training minimises, and evaluation reports."""

from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from seq2seq_jax.models.batch_inputs import Batch, Collections
from seq2seq_jax.ops.layers import computing_in
from seq2seq_jax.ops.linear_cross_entropy import linear_cross_entropy
from seq2seq_jax.ops.softmax_cross_entropy import softmax_loss

Array = jax.Array


def loss_sums(
    model: nn.Module,
    params: Any,
    batch: Batch,
) -> tuple[Array, Array]:
    """Summed cross-entropy of a batch under teacher forcing, and its number of target tokens."""
    inputs = model.encoder_inputs(batch)
    output: Any = model.apply({"params": params}, *inputs, batch["target_ids"][:, :-1])
    return _of_batch(output.logits, batch)


def training_loss_sums(
    model: nn.Module,
    params: Any,
    batch: Batch,
    dropout_key: Array,
    *,
    label_smoothing: float = 0.0,
    collections: Collections = MappingProxyType({}),
    dtype: str = "float32",
    skip_padding: bool = False,
) -> tuple[Array, tuple[Array, Any]]:
    """As `loss_sums`, of a model in training.

    Args:
      dtype: of matrix products; see `layers.computing_in`. Logits that are made of products of a
        smaller type are float32 before the softmax.
      skip_padding: compute logits at real positions only (`linear_cross_entropy`), which requires
        all rows on one device. A decoder without `pre_logits` computes all of them.

    Returns:
      The loss; and the number of tokens with the new `batch_stats`, which are the old ones moved a
      little towards this batch's.
    """
    skip_padding = skip_padding and hasattr(getattr(model, "decoder", None), "pre_logits")
    output: Any
    with computing_in(None if dtype == "float32" else jnp.dtype(dtype)):
        output, moved = model.apply(
            {"params": params, **collections},
            *model.encoder_inputs(batch),
            batch["target_ids"][:, :-1],
            train=True,
            rngs={"dropout": dropout_key},
            mutable=["batch_stats"],
            method="pre_logits" if skip_padding else None,
        )
    if skip_padding:
        layer = params["decoder"]["project_logits"]
        targets, lengths = _targets(batch)
        features = output if dtype == "float32" else output.astype(dtype)
        loss = linear_cross_entropy(
            features, layer["kernel"], layer["bias"], targets, lengths, label_smoothing
        )
        tokens = jnp.sum(lengths)
    else:
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
    loss = softmax_loss(logits, targets, weights, label_smoothing)
    return loss, jnp.sum(lengths)


def _of_batch(logits: Array, batch: Batch, label_smoothing: float = 0.0) -> tuple[Array, Array]:
    return cross_entropy(logits, *_targets(batch), label_smoothing)


def _targets(batch: Batch) -> tuple[Array, Array]:
    """What is predicted, and how much of it: SEQUENCE_START is given."""
    return batch["target_ids"][:, 1:], jnp.maximum(batch["target_len"] - 1, 0)
