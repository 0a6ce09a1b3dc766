"""How to search: the keys `inference.*`, and the part of them that a compiled search depends on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int
from ml_collections import ConfigDict

from seq2seq_jax.config import import_dotted
from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.schema.names import quote_value
from seq2seq_jax.schema.parameters import construct
from seq2seq_jax.schema.rules import (
    AVERAGE,
    BATCH_SIZE,
    BEAM_WIDTH,
    CHECKPOINT,
    FACTOR,
    FILES,
    LENGTH,
    MAX_LENGTH,
    PROBABILITY,
    SEED,
    SUCCESSORS,
    at_least,
    between,
    one_of,
)
from seq2seq_jax.utils.errors import UserError

ChooseSuccessors = Callable[[Array], Array]
"""scores [B, K, V] -> [B, K] i32, distinct indices into the flattened [K V] scores, in the order of
the hypotheses (the first one is the answer)."""


def choose_top_k(scores: Float[Array, "B K V"]) -> Int[Array, "B K"]:
    """Choose the K best continuations, best first; of equal scores the first.

    Args:
      scores: [B, K, V], of all continuations.

    Returns:
      [B, K] i32, indices into the flattened [K V] scores.

    Example:
      >>> import jax.numpy as jnp
      >>> choose_top_k(jnp.array([[[0.1, 0.4], [0.3, 0.2]]])).tolist()
      [[1, 2]]
    """
    batch_size, beam_width, _ = scores.shape
    return lax.top_k(scores.reshape(batch_size, -1), beam_width)[1]


@dataclass(frozen=True, kw_only=True)
class BeamSearchConfig:
    """The keys `inference.beam_search.*`.

    Attributes:
      beam_width: Number of hypotheses that beam search keeps; 1 or less: greedy search.
      length_penalty_weight: Exponent of the length penalty ((5 + length) / 6) ** weight
        (arXiv:1609.08144).
      coverage_penalty_weight: Weight of the coverage penalty of arXiv:1609.08144; 0: no penalty.
      diversity_groups: Number of groups of hypotheses in diverse beam search; each group avoids the
        tokens that the groups before it chose (arXiv:1610.02424).
      diversity_strength: Log-probability that a token loses for each hypothesis of an earlier group
        that chose it.
      choose_successors_fn: Function that chooses the continuations that survive a step of beam
        search.
    """

    beam_width: Annotated[int, BEAM_WIDTH] = 0
    length_penalty_weight: Annotated[float, between(0, 10)] = 0.0
    coverage_penalty_weight: Annotated[float, FACTOR] = 0.0
    diversity_groups: Annotated[int, between(1, 1000)] = 1
    diversity_strength: Annotated[float, FACTOR] = 0.0
    choose_successors_fn: Annotated[str, SUCCESSORS] = "choose_top_k"


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """The keys `inference.sampling.*`.

    Attributes:
      enable: Sample tokens instead of searching for the most likely output.
      temperature: Divides the logits before sampling; below 1, likely tokens become more likely.
      top_k: Sample from the k most likely tokens only; 0: from all tokens.
      top_p: Sample from the smallest set of most likely tokens that has at least this probability.
      seed: Seed of the samples.
    """

    enable: bool = False
    temperature: Annotated[float, between(0.001, 1000)] = 1.0
    top_k: Annotated[int, at_least(0)] = 0
    top_p: Annotated[float, PROBABILITY] = 1.0
    seed: Annotated[int, SEED] = 0


@dataclass(frozen=True, kw_only=True)
class InferenceConfig:
    """The keys `inference.*`: what is loaded, and how outputs are found.

    Attributes:
      batch_size: Number of sources that are decoded together.
      checkpoint: The checkpoint that evaluation and inference load.
      prefix_file: File whose line i is the prefix with which `infer` begins output i; an empty
        line, or no file: no prefix.
      allowed_tokens_file: File whose line i lists the tokens that `infer` may use in output i; an
        empty line, or no file: all tokens.
      allowed_outputs: File of the only outputs that the search may find, one a line; empty: all.
      lexicon: Table of lines of a source, a tab and an output; it answers the sources that it
        has, the model the others. Empty: there is none.
      n_best: Number of outputs for each source: the best hypotheses of the beam, or samples.
      max_decode_length: Maximum number of decoding steps, including the step of SEQUENCE_END.
      min_decode_length: Minimum number of tokens before SEQUENCE_END.
      forbid_unk: Never output UNK.
      no_repeat_ngram_size: No n-gram of this size occurs twice in an output; 0: no restriction.
      ensemble: Other working directories, separated by commas, whose models form an ensemble with
        this one.
      ensemble_mean: What an ensemble averages: log-probabilities (log) or probabilities (linear).
      average_checkpoints: Average the parameters of the last or the best K checkpoints; empty: no
        averaging.
      weights: Precision of the weight matrices. int8 has one scale per output channel, as in an
        export; the arithmetic stays float32.
    """

    batch_size: Annotated[int, BATCH_SIZE] = 32
    checkpoint: Annotated[str, CHECKPOINT] = "best"
    beam_search: BeamSearchConfig = BeamSearchConfig()
    sampling: SamplingConfig = SamplingConfig()
    prefix_file: str = ""
    allowed_tokens_file: str = ""
    allowed_outputs: str = ""
    lexicon: str = ""
    n_best: Annotated[int, between(1, 1000)] = 1
    max_decode_length: Annotated[int, LENGTH] = 100
    min_decode_length: Annotated[int, between(0, MAX_LENGTH)] = 0
    forbid_unk: bool = False
    no_repeat_ngram_size: Annotated[int, at_least(0)] = 0
    ensemble: Annotated[str, FILES] = ""
    ensemble_mean: Annotated[str, one_of("log", "linear")] = "log"
    average_checkpoints: Annotated[str, AVERAGE] = ""
    weights: Annotated[str, one_of("float32", "int8")] = "float32"


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """The options that a compiled search depends on; without any it is a greedy search.

    Attributes:
      max_length: Maximum number of steps, including the step of SEQUENCE_END; at least 1.
      min_length: Minimum number of tokens, not counting SEQUENCE_END.
      forbid_unk: Never choose UNK.
      no_repeat_ngram_size: No n-gram of this size occurs twice in an output; 0: no restriction.
      n_best: How many hypotheses are needed: a beam search continues until those are certain.
        For sampling, the number of samples of each source.
      ensemble_mean: How an ensemble averages, see `mean_log_probs`.
      beam_width: Number of hypotheses that are kept; 0 or 1: greedy search.
      length_penalty_weight: See `length_penalty`.
      coverage_penalty_weight: See `coverage_penalty`; at least 0.
      diversity_groups: See `diverse_step`.
      diversity_strength: See `diverse_step`.
      choose_successors: Chooses the continuations that survive.
      sampling: Sample tokens instead of searching.
      temperature: See `filter_logits`.
      top_k: See `filter_logits`.
      top_p: See `filter_logits`.
      return_attention: Return the attention weights of every step.
      return_beam_trace: Return how the beam search proceeded.
    """

    max_length: int = 100
    min_length: int = 0
    forbid_unk: bool = False
    no_repeat_ngram_size: int = 0
    n_best: int = 1
    ensemble_mean: str = "log"

    beam_width: int = 0
    length_penalty_weight: float = 0.0
    coverage_penalty_weight: float = 0.0
    diversity_groups: int = 1
    diversity_strength: float = 0.0
    choose_successors: ChooseSuccessors = choose_top_k

    sampling: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    return_attention: bool = False
    return_beam_trace: bool = False

    @property
    def num_hypotheses(self) -> int:
        """The number of hypotheses of each source that are extended at each step, K."""
        return max(1, self.n_best if self.sampling else self.beam_width)


def make_inference_config(inference: ConfigDict) -> InferenceConfig:
    """Build the typed form of the keys `inference.*`.

    Args:
      inference: The `inference` part of a resolved configuration.

    Returns:
      The same values as a frozen dataclass.
    """
    typed: InferenceConfig = construct(InferenceConfig, inference, resolve_class, "inference")
    return typed


def make_search_config(inference: InferenceConfig) -> SearchConfig:
    """Derive the options of a compiled search from the keys `inference.*`.

    Args:
      inference: The keys.

    Returns:
      The options, which return neither attention nor a beam trace.

    Raises:
      UserError: The function that `choose_successors_fn` names cannot be imported, or does not
        return indices.
    """
    beam, sampling = inference.beam_search, inference.sampling
    choose_successors: ChooseSuccessors = choose_top_k
    if beam.choose_successors_fn != choose_top_k.__name__:
        where = "inference.beam_search.choose_successors_fn"
        choose_successors = import_dotted(beam.choose_successors_fn, where)
        _check_successors(choose_successors, max(1, beam.beam_width), where)
    return SearchConfig(
        max_length=inference.max_decode_length,
        min_length=inference.min_decode_length,
        forbid_unk=inference.forbid_unk,
        no_repeat_ngram_size=inference.no_repeat_ngram_size,
        n_best=inference.n_best,
        ensemble_mean=inference.ensemble_mean,
        beam_width=beam.beam_width,
        length_penalty_weight=beam.length_penalty_weight,
        coverage_penalty_weight=beam.coverage_penalty_weight,
        diversity_groups=beam.diversity_groups,
        diversity_strength=beam.diversity_strength,
        choose_successors=choose_successors,
        sampling=sampling.enable,
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
    )


def _check_successors(choose_successors: ChooseSuccessors, beam_width: int, where: str) -> None:
    """Trace a user's function, and raise UserError unless it maps scores to indices."""
    what = "must be the path of a function from scores [B, K, V] to indices [B, K] of whole numbers"
    scores = jax.ShapeDtypeStruct((2, beam_width, 5), jnp.float32)
    try:
        chosen = jax.eval_shape(choose_successors, scores)
    except Exception as error:  # The function may be anything.
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(where, f"{what}; it fails with {reason}") from error
    shape, dtype = getattr(chosen, "shape", None), getattr(chosen, "dtype", jnp.float32)
    if shape != (2, beam_width) or not jnp.issubdtype(dtype, jnp.integer):
        raise UserError(where, f"{what}; it returns {quote_value(chosen)}")
