"""Several models that decide together."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from seq2seq_jax.search.result import StepFn

__all__ = ["MEANS", "ensemble_step", "mean_attention", "mean_log_probs"]

Array = jax.Array

MEANS = ("log", "linear")


def ensemble_step(steps: Sequence[StepFn], mean: str) -> StepFn:
    """One step of all members, whose vocabularies are the same.

    Args:
      steps: of the members.
      mean: as in `mean_log_probs`.

    Returns:
      a step function whose state is the tuple of the members' states; the step itself where there
      is one.
    """
    if len(steps) == 1:
        only = steps[0]

        def alone(tokens: Array, states: Any) -> tuple[Array, Any, Array]:
            logits, state, attention = only(tokens, states[0])
            return logits, (state,), attention

        return alone

    def step(tokens: Array, states: Any) -> tuple[Array, Any, Array]:
        stepped = [member(tokens, state) for member, state in zip(steps, states, strict=True)]
        logits, new_states, attention = zip(*stepped, strict=True)
        return mean_log_probs(logits, mean), new_states, mean_attention(attention)

    return step


def mean_log_probs(logits: Sequence[Array], mean: str) -> Array:
    """Logits [..., V] of the members -> log-probabilities of the ensemble.

    Args:
      mean: "linear", the mean of the probabilities; or "log", the mean of their logarithms, made to
        sum to one again: a word that one member thinks impossible is.
    """
    if mean not in MEANS:
        raise ValueError(f"mean must be one of {', '.join(MEANS)}, not {mean}")
    log_probs = jnp.stack([jax.nn.log_softmax(one) for one in logits])
    if mean == "log":
        return jax.nn.log_softmax(jnp.mean(log_probs, axis=0))
    return jax.nn.logsumexp(log_probs, axis=0) - jnp.log(float(len(logits)))


def mean_attention(attention: Sequence[Array]) -> Array:
    """[..., S] over those members that have attention; [..., 0] where none has."""
    there = [one for one in attention if one.shape[-1]]
    return jnp.mean(jnp.stack(there), axis=0) if there else attention[0]
