"""The loss that training minimizes and evaluation reports: cross-entropy under teacher forcing."""

from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int, PyTree

from seq2seq_jax.models.batch_inputs import Batch, NonTrainable
from seq2seq_jax.ops.cross_entropy import linear_cross_entropy, softmax_cross_entropy
from seq2seq_jax.ops.layers import compute_in


def loss_sums(
    model: nn.Module, params: PyTree, batch: Batch
) -> tuple[Float[Array, ""], Int[Array, ""]]:
    """Sum the cross-entropy of a batch under teacher forcing, without dropout.

    Args:
      model: A model.
      params: Its parameters.
      batch: See `batch_inputs.Batch`.

    Returns:
      The loss, summed over target tokens, and their number. SEQUENCE_START is not counted.
    """
    inputs = model.encoder_inputs(batch)
    output: PyTree = model.apply({"params": params}, *inputs, batch["target_ids"][:, :-1])
    return cross_entropy(output.logits, *_targets(batch))


def training_loss_sums(
    model: nn.Module,
    params: PyTree,
    batch: Batch,
    dropout_key: Array,
    *,
    label_smoothing: float = 0.0,
    non_trainable: NonTrainable = MappingProxyType({}),
    dtype: str = "float32",
    skip_padding: bool = False,
) -> tuple[Float[Array, ""], tuple[Int[Array, ""], PyTree]]:
    """Sum the cross-entropy of a batch under teacher forcing, with dropout.

    Args:
      model: A model.
      params: Its parameters.
      batch: See `batch_inputs.Batch`.
      dropout_key: The random key of dropout.
      label_smoothing: See `cross_entropy`.
      non_trainable: The model's non-trainable variables.
      dtype: Type of the matrix products. The logits, the softmax and the loss are float32.
      skip_padding: Compute logits only where there is no padding. This requires all rows on one
        device, and a decoder that derives from `DecoderBase`; other decoders compute all logits.

    Returns:
      The loss, summed over target tokens; and their number together with the new `batch_stats`, in
      which the old ones have moved towards the statistics of this batch.
    """
    targets, lengths = _targets(batch)

    def compute_loss(model: Any) -> Array:
        inputs = (*model.encoder_inputs(batch), batch["target_ids"][:, :-1])
        if skip_padding and model.has_pre_logits:
            x = model.pre_logits(*inputs, train=True)
            x = x if dtype == "float32" else x.astype(dtype)
            kernel, bias = model.logits_weights()
            return linear_cross_entropy(x, kernel, bias, targets, lengths, label_smoothing)
        output = model(*inputs, train=True)
        return cross_entropy(output.logits, targets, lengths, label_smoothing)[0]

    with compute_in(None if dtype == "float32" else jnp.dtype(dtype)):
        loss, new = model.apply(
            {"params": params, **non_trainable},
            rngs={"dropout": dropout_key},
            mutable=["batch_stats"],
            method=compute_loss,
        )
    return loss, (jnp.sum(lengths), new.get("batch_stats", {}))


def cross_entropy(
    logits: Float[Array, "B T V"],
    targets: Int[Array, "B T"],
    lengths: Int[Array, " B"],
    label_smoothing: float = 0.0,
) -> tuple[Float[Array, ""], Int[Array, ""]]:
    """Sum the cross-entropy over all positions that are not padding.

      loss = - sum_{b, t < lengths_b} log softmax(logits_bt)[targets_bt]
      tokens = sum_b lengths_b

    With label smoothing e (Szegedy et al. 2015, arXiv:1512.00567) the target distribution is 1 - e
    on the target token and e / V on each of the V tokens:

      loss = - sum_{b, t < lengths_b} (1 - e) log p[targets_bt] + e / V sum_v log p[v]

    The results are sums, not means: the sums of several batches or devices are divided once, at the
    end.

    Args:
      logits: [B, T, V].
      targets: Integers [B, T].
      lengths: [B].
      label_smoothing: e.

    Returns:
      The loss and the number of tokens.
    """
    logits = jnp.asarray(logits)
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    weights = (jnp.arange(targets.shape[1]) < lengths[:, None]).astype(logits.dtype)
    loss = softmax_cross_entropy(logits, targets, weights, label_smoothing)
    return loss, jnp.sum(lengths)


def _targets(batch: Batch) -> tuple[Array, Array]:
    """Return the tokens to predict, all but SEQUENCE_START, and their number in each row."""
    return jnp.asarray(batch["target_ids"])[:, 1:], jnp.maximum(batch["target_len"] - 1, 0)
