"""A model, or several, and a search, compiled into one function from source ids to hypotheses."""

from collections.abc import Sequence
from typing import Any, Protocol

import jax
from flax import linen as nn
from jax.typing import ArrayLike

from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.search.beam_search import beam_search
from seq2seq_jax.search.constraints import (
    Constraint,
    allowed_mask,
    allowed_words,
    forbidden_word,
    forced_prefix,
    minimum_length,
    no_repeated_ngrams,
)
from seq2seq_jax.search.ensembles import ensemble_step
from seq2seq_jax.search.greedy import greedy_search
from seq2seq_jax.search.precomputed_attention import can_fold, fold
from seq2seq_jax.search.result import SearchResult, StepFn
from seq2seq_jax.search.sampling import sample
from seq2seq_jax.search.search_config import SearchOptions

__all__ = ["Decode", "make_decode", "start_decoding"]

Array = jax.Array


class Decode(Protocol):
    """What `make_decode` returns."""

    def __call__(
        self,
        params: Any,
        source_ids: ArrayLike,
        source_len: ArrayLike,
        *,
        prefix_ids: ArrayLike | None = None,
        prefix_len: ArrayLike | None = None,
        allowed: ArrayLike | None = None,
        seeds: ArrayLike | None = None,
    ) -> SearchResult:
        """Decodes a batch.

        Args:
          params: of the model; of several, a sequence.
          source_ids, source_len: [B, S], [B]. A row of length 0 fills the batch; its result is
            empty, and no step is spent on it.
          prefix_ids, prefix_len: [B, P], [B], how each sentence has to begin; without SEQUENCE_END.
          allowed: the words that each sentence may use, SEQUENCE_END always among them: [B, V]
            bool, or [B, R] ids padded with -1.
          seeds: [B] u32, for sampling; see `sampling.per_example_seeds`.

        Each of these that is given for the first time compiles anew.
        """


def make_decode(
    models: nn.Module | Sequence[nn.Module],
    target_vocabulary: Vocabulary,
    *,
    ensemble_mean: str = "log",
    **options: Any,
) -> Decode:
    """Encoding and search in one jitted function.

    Args:
      models: one, or several with the same vocabularies that decide together.
      target_vocabulary: theirs.
      ensemble_mean: "log" or "linear", see `ensembles.mean_log_probs`.
      options: how to search, the fields of `SearchOptions`; greedily without any.
    """
    wanted = SearchOptions(**options)
    members = [models] if isinstance(models, nn.Module) else list(models)
    start_id, end_id = target_vocabulary.sequence_start_id, target_vocabulary.sequence_end_id
    constraints = _constraints(wanted, target_vocabulary)
    beams = max(1, wanted.num_samples if wanted.sampling else wanted.beam_width)

    @jax.jit
    def decode(
        params: Any,
        source_ids: Array,
        source_len: Array,
        *,
        prefix_ids: Array | None = None,
        prefix_len: Array | None = None,
        allowed: Array | None = None,
        seeds: Array | None = None,
    ) -> SearchResult:
        batch_size = source_ids.shape[0]
        rules = list(constraints)
        if allowed is not None:
            if allowed.dtype != bool:
                allowed = allowed_mask(allowed, target_vocabulary.size)
            rules.append(allowed_words(allowed, end_id))
        if prefix_ids is not None and prefix_ids.shape[1]:
            assert prefix_len is not None
            rules.append(forced_prefix(prefix_ids, prefix_len))
        step, state = start_decoding(
            members,
            [params] if isinstance(models, nn.Module) else params,
            source_ids,
            source_len,
            ensemble_mean=ensemble_mean,
            max_decoded_tokens=batch_size * beams * wanted.max_length,
        )
        common: dict[str, Any] = {
            "batch_size": batch_size,
            "start_id": start_id,
            "end_id": end_id,
            "max_length": wanted.max_length,
            "constraints": rules,
            "empty": source_len == 0,
            "return_attention": wanted.return_attention,
        }
        if wanted.sampling:
            if seeds is None:
                raise ValueError("sampling needs a seed for each sentence")
            return sample(
                step,
                state,
                num_samples=wanted.num_samples,
                seeds=seeds,
                temperature=wanted.temperature,
                top_k=wanted.top_k,
                top_p=wanted.top_p,
                **common,
            )
        greedy = wanted.beam_width <= 1
        if greedy and not wanted.return_history:  # which a beam of one has, and is as greedy
            return greedy_search(step, state, **common)
        return beam_search(
            step,
            state,
            beam_width=max(1, wanted.beam_width),
            n_best=wanted.n_best,
            length_penalty_weight=0.0 if greedy else wanted.length_penalty_weight,
            choose_successors=wanted.choose_successors,
            coverage_penalty_weight=wanted.coverage_penalty_weight,
            source_len=source_len,
            diversity_groups=wanted.diversity_groups,
            diversity_strength=wanted.diversity_strength,
            return_history=wanted.return_history,
            **common,
        )

    return decode


def start_decoding(
    models: Sequence[nn.Module],
    params: Sequence[Any],
    source_ids: Array,
    source_len: Array,
    *,
    ensemble_mean: str = "log",
    max_decoded_tokens: int,
) -> tuple[StepFn, Any]:
    """Encodes the sources: the step function of the models together, and its first state.

    Args:
      models, params: of the members.
      source_ids, source_len: [B, S], [B].
      ensemble_mean: as in `ensembles.mean_log_probs`.
      max_decoded_tokens: how many words the search may feed, of all hypotheses and steps.
    """
    started = [
        _start(model, own, source_ids, source_len, max_decoded_tokens)
        for model, own in zip(models, params, strict=True)
    ]
    steps, states = zip(*started, strict=True)
    return ensemble_step(steps, ensemble_mean), states


def _start(
    model: nn.Module, params: Any, source_ids: Array, source_len: Array, max_decoded_tokens: int
) -> tuple[StepFn, Any]:
    variables = {"params": params}
    started: Any = model.apply(variables, source_ids, source_len, method="encode_and_init")
    memory, state = started
    if can_fold(model, memory):
        return fold(model, params, memory, state, source_len, max_decoded_tokens=max_decoded_tokens)

    def step(tokens: Array, state: Any) -> tuple[Array, Any, Array]:
        stepped: Any = model.apply(variables, tokens, state, memory, source_len, method="step")
        return stepped

    return step, state


def _constraints(options: SearchOptions, vocabulary: Vocabulary) -> list[Constraint]:
    """Those that hold for every sentence."""
    end_id = vocabulary.sequence_end_id
    constraints = []
    if options.min_length:
        constraints.append(minimum_length(options.min_length, end_id))
    if options.forbid_unk:
        constraints.append(forbidden_word(vocabulary.unk_id))
    if options.no_repeat_ngram_size:
        constraints.append(no_repeated_ngrams(options.no_repeat_ngram_size))
    return constraints
