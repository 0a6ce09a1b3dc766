"""Diverse beam search: groups of hypotheses that avoid each other's tokens."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.search.beam_search import beam_search
from seq2seq_jax.search.beam_step import BeamState, diverse_step, initial_beam_state
from seq2seq_jax.search.search_config import SearchConfig
from seq2seq_jax.search.types import DecodeContext

MAX_LENGTH, START, END = 5, 3, 4


def step_context(eos_id, groups, strength):
    """The context of a single step, which does not read where a search starts."""
    config = SearchConfig(diversity_groups=groups, diversity_strength=strength)
    return DecodeContext(config=config, batch_size=1, bos_id=eos_id, eos_id=eos_id)


def test_a_token_loses_log_probability_for_each_hypothesis_that_chose_it():
    """Three groups of one, p = 0.5, 0.4, 0.1: with 0.2 a group, 0.5 falls below 0.4 with the
    second, for ln(0.5 / 0.4) = 0.223 lies between one and two times 0.2."""
    log_probs = jnp.log(jnp.broadcast_to(jnp.array([0.5, 0.4, 0.1]), [1, 3, 3]))

    @jax.jit
    def step(strength):
        return diverse_step(initial_beam_state(1, 3, 3), log_probs, step_context(2, 3, strength))

    state, words, parents = step(0.2)
    assert words.tolist() == [[0, 0, 1]]
    assert parents.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(np.exp(state.log_probs), [[0.5, 0.5, 0.4]], rtol=1e-5)
    assert step(0.0)[1].tolist() == [[0, 0, 0]]
    assert step(0.3)[1].tolist() == [[0, 1, 0]]
    assert step(5.0)[1].tolist() == [[0, 1, 2]]


def test_a_finished_hypothesis_neither_loses_log_probability_nor_counts():
    log_probs = jnp.full([1, 2], -1.0)
    state = BeamState(
        log_probs=log_probs,
        scores=log_probs,
        lengths=jnp.ones([1, 2], jnp.int32),
        finished=jnp.array([[True, False]]),
    )
    next_log_probs = jnp.log(jnp.broadcast_to(jnp.array([0.4, 0.6]), [1, 2, 2]))
    step = partial(diverse_step, context=step_context(1, 2, 9.0))
    new, words, _ = jax.jit(step)(state, next_log_probs)
    assert words.tolist() == [[1, 1]]
    np.testing.assert_allclose(new.log_probs, [[-1.0, -1.0 + np.log(0.6)]], rtol=1e-5)


def diverse_search_with_lists(step, start, *, groups, size, strength, weight):
    """One sentence, to the very end: [(score, words, finished)], best first."""
    beams = [[(0.0, 0.0, (), False, start)] for _ in range(groups)]
    for _ in range(MAX_LENGTH):
        counts = np.zeros(END + 1)
        for group, hypotheses in enumerate(beams):
            candidates = []
            for score, total, words, finished, hidden in hypotheses:
                if finished:
                    candidates.append((score, (score, total, words, True, hidden), None))
                    continue
                log_probs, new_hidden, _ = step(np.array([words[-1] if words else START]), hidden)
                for word, gain in enumerate(log_probs[0]):
                    longer = words if word == END else (*words, word)
                    penalty = ((5 + len(longer)) / 6) ** weight
                    rank = (total + gain - strength * counts[word]) / penalty
                    new = ((total + gain) / penalty, total + gain, longer, word == END, new_hidden)
                    candidates.append((rank, new, word))
            chosen = sorted(candidates, key=lambda candidate: -candidate[0])[:size]
            beams[group] = [new for _, new, _ in chosen]
            for _, _, word in chosen:
                if word is not None:
                    counts[word] += 1
    best_first = sorted((h for group in beams for h in group), key=lambda h: -h[0])
    return [(score, words, finished) for score, _, words, finished, _ in best_first]


def test_groups_equal_a_slow_search_with_lists(toy):
    @jax.jit
    def search(model, weight):
        context = toy.context_of(
            model,
            beam_width=6,
            length_penalty_weight=weight,
            max_length=MAX_LENGTH,
            diversity_groups=3,
            diversity_strength=0.5,
        )
        return beam_search(toy.step_of(model, jnp), model.start, context)

    for seed, weight in itertools.product(range(5), (0.0, 1.0)):
        model = toy.random_model(seed)
        result = jax.device_get(search(model, weight))
        for row in range(4):
            expected = diverse_search_with_lists(
                toy.step_of(model, np),
                model.start[row : row + 1],
                groups=3,
                size=2,
                strength=0.5,
                weight=weight,
            )
            best = {}  # equal outputs of several groups count once
            for score, words, finished in expected:
                best.setdefault((words, finished), (score, words, finished))
            expected = list(best.values())
            count = len(expected)
            np.testing.assert_allclose(
                result.scores[row, :count], [score for score, *_ in expected], rtol=1e-4
            )
            assert np.isneginf(result.log_probs[row, count:]).all()
            found = {
                (tuple(ids[:length].tolist()), bool(finished))
                for ids, length, finished, _ in zip(
                    result.ids[row],
                    result.lengths[row],
                    result.finished[row],
                    expected,
                    strict=False,
                )
            }
            assert found == {(words, finished) for _, words, finished in expected}


def test_groups_must_divide_the_beam_width(toy):
    model = toy.random_model(0)
    context = toy.context_of(model, beam_width=4, max_length=2, diversity_groups=3)
    with pytest.raises(ValueError, match="must divide beam_width=4; got 3"):
        beam_search(toy.step_of(model, jnp), model.start, context)
