"""How likely a model thinks given targets are."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jax.typing import ArrayLike

from seq2seq_jax.search.ensembles import mean_attention, mean_log_probs

__all__ = ["Score", "make_score"]

Array = jax.Array


class TargetScores(struct.PyTreeNode):
    """Of B targets; time t predicts target_ids[:, t + 1].

    Attributes:
      token_log_probs: [B, T] f32, natural logarithms; 0 in the padding.
      log_probs: [B] f32, of the whole targets, SEQUENCE_END included: their sums.
      attention: [B, T, S] f32, the weights each token was predicted with; zero in the padding; S is
        0 for a model without attention. None where it was not asked for.
    """

    token_log_probs: Array
    log_probs: Array
    attention: Array | None


Score = Callable[[Any, ArrayLike, ArrayLike, ArrayLike, ArrayLike], TargetScores]
"""(params, source_ids [B, S], source_len [B], target_ids [B, T + 1] from SEQUENCE_START to
SEQUENCE_END, target_len [B], which counts both; 0 in rows that fill the batch) -> scores"""


def make_score(
    models: nn.Module | Sequence[nn.Module],
    *,
    ensemble_mean: str = "log",
    return_attention: bool = False,
) -> Score:
    """Teacher forcing in one jitted function.

    Args:
      models: one, or several with the same vocabularies; then `params` are a sequence too.
      ensemble_mean: "log" or "linear", see `ensembles.mean_log_probs`.
    """
    members = [models] if isinstance(models, nn.Module) else list(models)

    @jax.jit
    def score(
        params: Any, source_ids: Array, source_len: Array, target_ids: Array, target_len: Array
    ) -> TargetScores:
        outputs: list[Any] = [
            model.apply({"params": own}, source_ids, source_len, target_ids[:, :-1])
            for model, own in zip(
                members, [params] if isinstance(models, nn.Module) else params, strict=True
            )
        ]
        words = target_ids[:, 1:, None]
        if len(members) == 1:
            logits = outputs[0].logits
            log_probs = jnp.take_along_axis(logits, words, axis=-1)[..., 0]
            log_probs -= jax.nn.logsumexp(logits, axis=-1)
        else:
            joint = mean_log_probs([output.logits for output in outputs], ensemble_mean)
            log_probs = jnp.take_along_axis(joint, words, axis=-1)[..., 0]
        real = jnp.arange(words.shape[1]) < target_len[:, None] - 1
        log_probs = jnp.where(real, log_probs, 0.0)
        attention = None
        if return_attention:
            attention = mean_attention([output.attention_scores for output in outputs])
            attention = jnp.where(real[..., None], attention, 0.0)
        return TargetScores(log_probs, jnp.sum(log_probs, axis=-1), attention)

    return score
