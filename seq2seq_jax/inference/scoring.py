"""Scoring: the log-probabilities of given targets under teacher forcing."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import struct
from jax.typing import ArrayLike
from jaxtyping import Array, PyTree

from seq2seq_jax.data.batches import Batch
from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.data.sampler import length_sorted_batches
from seq2seq_jax.ops.kernels import use_kernels
from seq2seq_jax.search.ensembles import mean_attention, mean_log_probs


class TargetScores(struct.PyTreeNode):
    """The log-probabilities of B targets; step t predicts target_ids[:, t + 1].

    Attributes:
      token_log_probs: [B, T] f32, natural logarithms; 0 in the padding.
      log_probs: [B] f32, sums over the whole targets, including SEQUENCE_END.
      attention: [B, T, S] f32, the attention weights with which each token was predicted; zero in
        the padding; S is 0 for a model without attention. None unless it was requested.
    """

    token_log_probs: Array
    log_probs: Array
    attention: Array | None


class Score(Protocol):
    """Compiled teacher forcing, as `make_score` returns it."""

    def __call__(
        self,
        params: PyTree,
        source_ids: PyTree,
        source_len: ArrayLike,
        target_ids: ArrayLike,
        target_len: ArrayLike,
    ) -> TargetScores:
        """Score a batch of targets.

        Args:
          params: Parameters of the model; of an ensemble, a sequence.
          source_ids: [B, S], padded sources; or what `encoder_inputs` of the models returns.
          source_len: [B], their lengths.
          target_ids: [B, T + 1], padded targets from SEQUENCE_START to SEQUENCE_END.
          target_len: [B], their lengths, including both; 0 in rows that pad the batch.

        Returns:
          The scores.
        """


def make_score(
    models: nn.Module | Sequence[nn.Module],
    *,
    ensemble_mean: str = "log",
    return_attention: bool = False,
    kernels: str = "fast",
) -> Score:
    """Compile teacher forcing into one function.

    Args:
      models: A model, or several with the same vocabularies that form an ensemble.
      ensemble_mean: "log" or "linear", see `mean_log_probs`.
      return_attention: Return the attention weights too.
      kernels: "fast" or "reference", see `use_kernels`.

    Returns:
      The compiled function.
    """
    members = [models] if isinstance(models, nn.Module) else list(models)

    @jax.jit
    @use_kernels(kernels)
    def score(
        params: PyTree, source_ids: PyTree, source_len: Array, target_ids: Array, target_len: Array
    ) -> TargetScores:
        outputs: list[PyTree] = [
            model.apply({"params": own}, source_ids, source_len, target_ids[:, :-1])
            for model, own in zip(
                members, [params] if isinstance(models, nn.Module) else params, strict=True
            )
        ]
        targets = target_ids[:, 1:, None]
        if len(members) == 1:
            logits = outputs[0].logits
            log_probs = jnp.take_along_axis(logits, targets, axis=-1)[..., 0]
            log_probs -= jax.nn.logsumexp(logits, axis=-1)
        else:
            joint = mean_log_probs([output.logits for output in outputs], ensemble_mean)
            log_probs = jnp.take_along_axis(joint, targets, axis=-1)[..., 0]
        real = jnp.arange(targets.shape[1]) < target_len[:, None] - 1
        log_probs = jnp.where(real, log_probs, 0.0)
        attention = None
        if return_attention:
            attention = mean_attention([output.attention_scores for output in outputs])
            attention = jnp.where(real[..., None], attention, 0.0)
        return TargetScores(log_probs, jnp.sum(log_probs, axis=-1), attention)

    return score


def pair_batches(
    sources: Ragged, targets: Ragged, batch_size: int
) -> Iterator[tuple[Batch, np.ndarray[PyTree, PyTree]]]:
    """Yield batches of pairs of similar length.

    Args:
      sources: N rows of source ids.
      targets: N rows of target ids, from SEQUENCE_START to SEQUENCE_END.
      batch_size: Number of rows of each batch.

    Yields:
      A batch, as keywords of `Score`, and the indices of the pairs in its first rows.
    """
    longer = np.maximum(sources.lengths, targets.lengths - 1)
    for indices, width in length_sorted_batches(longer, batch_size):
        source_ids, source_len = sources.padded(indices, width, batch_size)
        target_ids, target_len = targets.padded(indices, width + 1, batch_size)
        batch = {
            "source_ids": source_ids,
            "source_len": source_len,
            "target_ids": target_ids,
            "target_len": target_len,
        }
        yield batch, indices
