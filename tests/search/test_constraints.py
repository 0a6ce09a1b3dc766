"""Searches with constraints, compared with all outputs that satisfy them."""

import itertools
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.search.beam_search import beam_search
from seq2seq_jax.search.constraints import (
    Prefix,
    allowed_tokens,
    apply_constraints,
    forbidden_token,
    forced_prefix,
    minimum_length,
    no_repeated_ngrams,
)
from seq2seq_jax.search.decode_loop import greedy_search

START, END, MAX_LENGTH = 2, 3, 4
SIZES = {"vocabulary_size": 4, "batch_size": 2}
WIDTH = sum(3**length for length in range(MAX_LENGTH + 1))


class Rule(NamedTuple):
    """Constraints, and the same in words: may this word follow these words in this sentence?"""

    constraints: list
    may_follow: object


def repeats(words, word, size):
    ngrams = [(*words, word)[i : i + size] for i in range(len(words) + 2 - size)]
    return ngrams[-1] in ngrams[:-1] if len(words) + 1 >= size else False


ALLOWED = [{0, END}, {1, 2, END}]
ALLOWED_MASK = jnp.array([[True, False, False, False], [False, True, True, False]])
PREFIXES = [(1, 1, 0), ()]
ALL_AT_ONCE = "all at once, the prefix against the others"

RULES = {
    "minimum length": Rule(
        [minimum_length(2, END)], lambda row, words, word: word != END or len(words) >= 2
    ),
    "a forbidden token": Rule([forbidden_token(0)], lambda row, words, word: word != 0),
    "no repeated token": Rule(
        [no_repeated_ngrams(1)], lambda row, words, word: word == END or not repeats(words, word, 1)
    ),
    "no repeated bigram": Rule(
        [no_repeated_ngrams(2)], lambda row, words, word: word == END or not repeats(words, word, 2)
    ),
    "allowed tokens": Rule(
        [allowed_tokens(ALLOWED_MASK, END)],
        lambda row, words, word: word in ALLOWED[row],
    ),
    "forced prefixes": Rule(
        [forced_prefix(jnp.array([[1, 1, 0], [0, 0, 0]]), jnp.array([3, 0]))],
        lambda row, words, word: PREFIXES[row][len(words) : len(words) + 1] in ((), (word,)),
    ),
    ALL_AT_ONCE: Rule(
        [
            minimum_length(4, END),
            forbidden_token(1),
            no_repeated_ngrams(1),
            forced_prefix(jnp.array([[1, 1], [0, 0]]), jnp.array([2, 0])),
        ],
        lambda row, words, word: (
            word == 1 if row == 0 and len(words) < 2 else word not in (1, END, *words)
        ),
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_wide_beam_finds_all_outputs_that_satisfy_a_constraint(toy, name):
    rule = RULES[name]

    @jax.jit
    def search(model):
        context = toy.context_of(
            model,
            constraints=rule.constraints,
            beam_width=WIDTH,
            n_best=WIDTH,
            max_length=MAX_LENGTH,
        )
        return beam_search(toy.step_of(model, jnp), model.start, context)

    for seed in range(3):
        model = toy.random_model(seed, **SIZES)
        result = jax.device_get(search(model))
        for row in range(2):
            sentences = toy.all_sentences(model, row, MAX_LENGTH, partial(rule.may_follow, row))
            best_first = sorted(sentences, key=lambda words: -sentences[words][0])
            possible = int(np.isfinite(result.log_probs[row]).sum())
            ids, lengths = result.ids[row, :possible], result.lengths[row, :possible]
            found = [tuple(words[:n].tolist()) for words, n in zip(ids, lengths, strict=True)]
            assert found == best_first
            expected = [sentences[words] for words in best_first]
            np.testing.assert_allclose(
                result.log_probs[row, :possible], [e[0] for e in expected], rtol=1e-4
            )
            assert result.finished[row, :possible].tolist() == [e[1] for e in expected]


def test_greedy_search_chooses_the_best_token_that_satisfies_all_constraints(toy):
    rule = RULES[ALL_AT_ONCE]

    @jax.jit
    def search(model):
        context = toy.context_of(model, constraints=rule.constraints, max_length=MAX_LENGTH)
        return greedy_search(toy.step_of(model, jnp), model.start, context)

    model = toy.random_model(5, **SIZES)
    result, step = jax.device_get(search(model)), toy.step_of(model, np)
    for row in range(2):
        words, hidden, total = (), model.start[row : row + 1], 0.0
        while len(words) < MAX_LENGTH:
            log_probs, hidden, _ = step(np.array([words[-1] if words else START]), hidden)
            nexts = [word for word in range(4) if rule.may_follow(row, words, word)] or [END]
            best = max(nexts, key=lambda word: log_probs[0, word])
            total += log_probs[0, best]
            if best == END:
                break
            words = (*words, best)
        assert tuple(result.ids[row, 0, : result.lengths[row, 0]].tolist()) == words
        np.testing.assert_allclose(result.log_probs[row, 0], total, rtol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_token_that_would_repeat_an_ngram_is_forbidden(size):
    words = np.random.default_rng(size).integers(3, size=(4, 2, 9))
    for step in range(9):
        prefix = Prefix(jnp.int32(step), jnp.asarray(words))
        logits = apply_constraints(
            jnp.zeros([4, 2, 5]), prefix, [no_repeated_ngrams(size)], eos_id=4
        )
        for row, slot, word in itertools.product(range(4), range(2), range(5)):
            history = tuple(words[row, slot, :step].tolist())
            assert (logits[row, slot, word] < 0) == repeats(history, word, size)


def test_a_hypothesis_without_an_allowed_token_ends():
    allowed = jnp.array([[False, False], [True, False]])
    constraints = [minimum_length(3, 1), allowed_tokens(allowed, 1)]
    logits = apply_constraints(
        jnp.zeros([2, 1, 2]), Prefix(jnp.int32(0), None), constraints, eos_id=1
    )
    assert np.isfinite(logits[:, 0]).tolist() == [[False, True], [True, False]]
