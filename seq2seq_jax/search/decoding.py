"""Models and a search, compiled into one function from source ids to hypotheses."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import jax
from flax import linen as nn
from jax.typing import ArrayLike
from jaxtyping import Array, PyTree

from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.models.precomputed_projections import make_step
from seq2seq_jax.ops.kernels import use_kernels
from seq2seq_jax.search.beam_search import beam_search
from seq2seq_jax.search.constraints import (
    Constraint,
    allowed_tokens,
    forbidden_token,
    forced_prefix,
    minimum_length,
    no_repeated_ngrams,
)
from seq2seq_jax.search.decode_loop import greedy_search, sample
from seq2seq_jax.search.ensembles import ensemble_step
from seq2seq_jax.search.output_trie import OutputTrie, only_outputs_of
from seq2seq_jax.search.search_config import SearchConfig
from seq2seq_jax.search.types import DecodeContext, SearchResult, StepFn


@runtime_checkable
class Decode(Protocol):
    """A compiled search, as `make_decode` returns it."""

    def __call__(
        self,
        params: PyTree,
        source_ids: PyTree,
        source_len: ArrayLike,
        *,
        prefix_ids: ArrayLike | None = None,
        prefix_len: ArrayLike | None = None,
        allowed: ArrayLike | None = None,
        seeds: ArrayLike | None = None,
        trie: OutputTrie | None = None,
    ) -> SearchResult:
        """Decode a batch. A new combination of optional arguments compiles again.

        Args:
          params: Parameters of the model; of an ensemble, a sequence.
          source_ids: [B, S], padded sources; or what `encoder_inputs` of the models returns.
          source_len: [B], their lengths. A row of length 0 pads the batch: its result is empty and
            it costs no step.
          prefix_ids: [B, P], how each output has to begin, without SEQUENCE_END.
          prefix_len: [B], lengths of the prefixes.
          allowed: [B, V] bool, the tokens that each output may use in addition to SEQUENCE_END.
          seeds: [B] u32, for sampling, see `per_example_seeds`.
          trie: The only outputs that are allowed. Each must satisfy the other constraints, the
            prefixes must be prefixes of outputs, and `allowed` must be None: a hypothesis that no
            output of the trie continues would end anywhere.

        Returns:
          The hypotheses.
        """


def make_decode(
    models: nn.Module | Sequence[nn.Module],
    target_vocabulary: Vocabulary,
    config: SearchConfig | None = None,
    *,
    kernels: str = "fast",
) -> Decode:
    """Compile encoder and search into one function.

    Args:
      models: A model, or several with the same vocabularies that form an ensemble.
      target_vocabulary: Their target vocabulary.
      config: How to search; None: greedily.
      kernels: "fast" or "reference", see `use_kernels`.

    Returns:
      The compiled function. Of a beam it returns the `n_best` hypotheses.
    """
    search = SearchConfig() if config is None else config
    members = [models] if isinstance(models, nn.Module) else list(models)
    bos_id, eos_id = target_vocabulary.sequence_start_id, target_vocabulary.sequence_end_id
    common_constraints = _common_constraints(search, target_vocabulary)

    @jax.jit
    @use_kernels(kernels)
    def decode(
        params: PyTree,
        source_ids: PyTree,
        source_len: Array,
        *,
        prefix_ids: Array | None = None,
        prefix_len: Array | None = None,
        allowed: Array | None = None,
        seeds: Array | None = None,
        trie: OutputTrie | None = None,
    ) -> SearchResult:
        batch_size = source_len.shape[0]
        constraints = list(common_constraints)
        if allowed is not None:
            constraints.append(allowed_tokens(allowed, eos_id))
        if trie is not None:
            constraints.append(only_outputs_of(trie))
        if prefix_ids is not None and prefix_ids.shape[1]:
            assert prefix_len is not None
            constraints.append(forced_prefix(prefix_ids, prefix_len))
        context = DecodeContext(
            config=search,
            batch_size=batch_size,
            bos_id=bos_id,
            eos_id=eos_id,
            constraints=constraints,
            is_pad=source_len == 0,
            source_len=source_len,
            seeds=seeds,
            trie=trie,
        )
        max_decoded_tokens = batch_size * search.num_hypotheses * search.max_length
        started = [
            make_step(model, own, source_ids, source_len, max_decoded_tokens=max_decoded_tokens)
            for model, own in zip(
                members, [params] if isinstance(models, nn.Module) else params, strict=True
            )
        ]
        steps, states = zip(*started, strict=True)
        if len(members) == 1:
            return _search(steps[0], states[0], context)
        return _search(ensemble_step(steps, search.ensemble_mean), states, context)

    return decode


def _search(step_fn: StepFn, initial_state: PyTree, context: DecodeContext) -> SearchResult:
    """Run the search that the options select; of a beam, return the n best."""
    config = context.config
    if config.sampling:
        return sample(step_fn, initial_state, context)
    if config.beam_width <= 1 and not config.return_beam_trace:
        return greedy_search(step_fn, initial_state, context)
    if config.beam_width <= 1:  # A beam of one hypothesis is a greedy search with a trace.
        beam_of_one = dataclasses.replace(config, beam_width=1, length_penalty_weight=0.0)
        context = dataclasses.replace(context, config=beam_of_one)
    result = beam_search(step_fn, initial_state, context)
    best: SearchResult = jax.tree.map(
        lambda leaf: leaf[:, : config.n_best], result.replace(beam_trace=None)
    )
    return best.replace(beam_trace=result.beam_trace)


def _common_constraints(config: SearchConfig, vocabulary: Vocabulary) -> list[Constraint]:
    """Return the constraints that are the same for all sources."""
    constraints = [forbidden_token(vocabulary.sequence_start_id)]  # It is only ever an input.
    if config.min_length:
        constraints.append(minimum_length(config.min_length, vocabulary.sequence_end_id))
    if config.forbid_unk:
        constraints.append(forbidden_token(vocabulary.unk_id))
    if config.no_repeat_ngram_size:
        constraints.append(no_repeated_ngrams(config.no_repeat_ngram_size))
    return constraints
