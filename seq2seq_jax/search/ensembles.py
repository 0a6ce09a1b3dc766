"""Ensembles: several models that choose each token together."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from seq2seq_jax.search.types import StepFn

MEANS = ("log", "linear")


def ensemble_step(steps: Sequence[StepFn], mean: str) -> StepFn:
    """Combine the step functions of models that have the same vocabularies.

    Args:
      steps: The step functions of the members, at least one.
      mean: How to average, see `mean_log_probs`.

    Returns:
      A step function whose state is the tuple of the members' states.
    """

    def step(tokens: Array, states: PyTree) -> tuple[Array, PyTree, Array]:
        outputs = [member(tokens, state) for member, state in zip(steps, states, strict=True)]
        logits, new_states, attention = zip(*outputs, strict=True)
        return mean_log_probs(logits, mean), new_states, mean_attention(attention)

    return step


def mean_log_probs(
    logits: Sequence[Float[Array, "*batch V"]], mean: str
) -> Float[Array, "*batch V"]:
    """Average the distributions of the members of an ensemble.

    Args:
      logits: [..., V] of each member.
      mean: "linear", the mean of the probabilities; or "log", the normalized mean of the
        log-probabilities: a token that one member considers impossible is impossible.

    Returns:
      [..., V], log-probabilities of the ensemble.

    Raises:
      ValueError: There is no such mean.
    """
    if mean not in MEANS:
        raise ValueError(f"mean must be one of: {', '.join(MEANS)}; got {mean!r}.")
    log_probs = jnp.stack([jax.nn.log_softmax(one) for one in logits])
    if mean == "log":
        return jax.nn.log_softmax(jnp.mean(log_probs, axis=0))
    return jax.nn.logsumexp(log_probs, axis=0) - jnp.log(float(len(logits)))


def mean_attention(attention: Sequence[Array]) -> Array:
    """Average attention weights over the members that have attention.

    Args:
      attention: [..., S] of each member; [..., 0] of a member without attention. Positions of
        features, to which only some members attend, are behind those of the source.

    Returns:
      [..., S], or [..., 0] if no member has attention.
    """
    present = [weights for weights in attention if weights.shape[-1]]
    if not present:
        return attention[0]
    width = max(weights.shape[-1] for weights in present)
    no_padding = [(0, 0)] * (present[0].ndim - 1)
    padded = [jnp.pad(w, [*no_padding, (0, width - w.shape[-1])]) for w in present]
    return jnp.mean(jnp.stack(padded), axis=0)
