"""Searches that may find only the outputs of a list, compared with all outputs of the list."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.search.beam_search import beam_search
from seq2seq_jax.search.constraints import forced_prefix
from seq2seq_jax.search.decode_loop import greedy_search, sample
from seq2seq_jax.search.decoding import make_decode
from seq2seq_jax.search.output_trie import build_output_trie, only_outputs_of
from seq2seq_jax.search.search_config import SearchConfig
from tests.tiny_models import VOCABULARY, model_params, tiny_model

WORDS, START, END, MAX_LENGTH = 4, 4, 5, 5
SIZES = {"vocabulary_size": 6, "batch_size": 3}


def random_outputs(seed, count):
    """Different outputs, some of which are prefixes of others."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, MAX_LENGTH, size=count)
    drawn = {tuple(generator.integers(WORDS, size=n).tolist()) for n in lengths}
    return sorted(drawn | {words[:1] for words in list(drawn)[:2]})


def run(toy, search, model, outputs, constraints=(), **options):
    trie = build_output_trie(outputs, END)

    @jax.jit
    def compiled(model, trie):
        context = toy.context_of(
            model,
            constraints=[only_outputs_of(trie), *constraints],
            max_length=MAX_LENGTH,
            **options,
        )
        context = dataclasses.replace(context, trie=trie)
        return search(toy.step_of(model, jnp), model.start, context)

    return jax.device_get(compiled(model, trie))


def found_in(result, row):
    """The hypotheses of a row that exist: their words, and their log-probabilities."""
    exist = np.isfinite(result.log_probs[row])
    assert result.finished[row, exist].all()
    words = [
        tuple(ids[:length].tolist())
        for ids, length in zip(result.ids[row, exist], result.lengths[row, exist], strict=True)
    ]
    return words, result.log_probs[row, exist]


def log_prob(toy, model, row, words):
    return toy.replay(model, row, [*words, END], START)[0]


@pytest.mark.parametrize("weight", [0.0, 0.8])
@pytest.mark.parametrize("count", [1, 7, 30])
def test_a_wide_beam_ranks_the_whole_list(toy, count, weight):
    outputs = random_outputs(count, count)
    width = len(outputs) + 3
    for seed in range(2):
        model = toy.random_model(seed, **SIZES)
        result = run(
            toy,
            beam_search,
            model,
            outputs,
            beam_width=width,
            n_best=width,
            length_penalty_weight=weight,
        )
        for row in range(3):
            exact = {words: log_prob(toy, model, row, words) for words in outputs}
            penalty = {words: ((5 + len(words)) / 6) ** weight for words in outputs}
            best_first = sorted(outputs, key=lambda words: -exact[words] / penalty[words])
            words, log_probs = found_in(result, row)
            assert words == best_first
            np.testing.assert_allclose(log_probs, [exact[w] for w in words], rtol=1e-4)


def test_greedy_search_follows_the_best_branch_of_the_list(toy):
    outputs = random_outputs(3, 12)
    model, step = toy.random_model(4, **SIZES), toy.step_of(toy.random_model(4, **SIZES), np)
    result = run(toy, greedy_search, model, outputs)
    for row in range(3):
        words, hidden = (), model.start[row : row + 1]
        while True:
            log_probs, hidden, _ = step(np.array([words[-1] if words else START]), hidden)
            branches = {(*o, END)[len(words)] for o in outputs if o[: len(words)] == words}
            best = max(branches, key=lambda word: log_probs[0, word])
            if best == END:
                break
            words = (*words, best)
        (found,), (log_prob_found,) = found_in(result, row)
        assert found == words
        np.testing.assert_allclose(log_prob_found, log_prob(toy, model, row, words), rtol=1e-4)


def test_groups_and_narrow_beams_find_only_outputs_of_the_list(toy):
    outputs = random_outputs(5, 9)
    model = toy.random_model(6, **SIZES)
    for options in (
        {"beam_width": 3},
        {"beam_width": 4, "diversity_groups": 2, "diversity_strength": 0.7},
    ):
        result = run(toy, beam_search, model, outputs, n_best=options["beam_width"], **options)
        for row in range(3):
            words, log_probs = found_in(result, row)
            assert words and set(words) <= set(outputs) and len(set(words)) == len(words)
            exact = [log_prob(toy, model, row, each) for each in words]
            np.testing.assert_allclose(log_probs, exact, rtol=1e-4)


def test_samples_are_outputs_of_the_list(toy):
    outputs = [(0, 1), (0, 1, 2), (3,)]
    model = toy.random_model(7, **SIZES)
    result = run(
        toy,
        sample,
        model,
        outputs,
        seeds=jnp.arange(3, dtype=jnp.uint32),
        sampling=True,
        n_best=20,
        temperature=2.0,
    )
    drawn = set(itertools.chain(*(found_in(result, row)[0] for row in range(3))))
    assert drawn == set(outputs)


def test_a_prefix_selects_outputs_of_the_list(toy):
    outputs = [(0, 1), (0, 1, 2), (0, 2), (3,), (3, 3)]
    prefix = forced_prefix(jnp.array([[0, 1], [3, 0], [0, 0]]), jnp.array([2, 1, 0]))
    model = toy.random_model(8, **SIZES)
    result = run(toy, beam_search, model, outputs, [prefix], beam_width=5, n_best=5)
    expected = [{(0, 1), (0, 1, 2)}, {(3,), (3, 3)}, set(outputs)]
    assert [set(found_in(result, row)[0]) for row in range(3)] == expected


def test_an_ensemble_finds_only_outputs_of_the_list():
    models = [tiny_model(), tiny_model("BasicSeq2Seq")]
    params = [model_params(model, i) for i, model in enumerate(models)]
    trie = build_output_trie([[0, 1], [5]], VOCABULARY.sequence_end_id)
    decode = make_decode(models, VOCABULARY, SearchConfig(beam_width=3, n_best=3, max_length=6))
    source_ids = np.array([[0, 1, VOCABULARY.sequence_end_id]])
    result = jax.device_get(decode(params, source_ids, np.array([3]), trie=trie))
    assert set(found_in(result, 0)[0]) == {(0, 1), (5,)}


def test_a_list_of_100_000_outputs_needs_eight_bytes_a_token(toy):
    generator = np.random.default_rng(0)
    outputs = {
        tuple(row[:n].tolist())
        for row, n in zip(
            generator.integers(40, size=(100_000, 12)),
            generator.integers(5, 13, size=100_000),
            strict=True,
        )
    }
    trie = build_output_trie(outputs, eos_id=43)
    tokens = sum(len(words) + 1 for words in outputs)
    assert trie.tokens.nbytes + trie.first_child.nbytes <= 8 * (tokens + 2)
    assert int((trie.tokens == 43).sum()) == len(outputs)
    assert trie.max_children <= 41
    for words in itertools.islice(outputs, 100):
        leaf = trie.find([*words, 43])
        assert trie.first_child[leaf] == trie.first_child[leaf + 1]
        assert trie.find([*words, 42]) is None
        nodes = jnp.zeros([], jnp.int32)
        for word in (*words, 43):
            nodes = trie.advance(nodes, jnp.int32(word))
        assert int(nodes) == leaf
