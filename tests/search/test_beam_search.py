"""Beam search against hand-made numbers, brute force, and a slow search written with lists."""

import itertools
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.search.beam_search import beam_search, gather_tree
from seq2seq_jax.search.beam_step import (
    BeamState,
    beam_step,
    coverage_penalty,
    initial_beam_state,
    length_penalty,
)
from seq2seq_jax.search.decode_loop import greedy_search
from seq2seq_jax.search.search_config import SearchConfig, choose_top_k
from seq2seq_jax.search.types import DecodeContext, tile_to_beams

MAX_LENGTH = 6
BRUTE_FORCE_LENGTH = 4
BRUTE_FORCE_WIDTH = sum(3**length for length in range(BRUTE_FORCE_LENGTH + 1))


@pytest.fixture(scope="module")
def search(toy):
    """Beam search of a random model, compiled once a width, n_best, rule and maximal length."""

    @partial(jax.jit, static_argnames=("width", "n_best", "max_length", "rule"))
    def run(model, weight=0.0, width=3, n_best=1, max_length=MAX_LENGTH, rule=choose_top_k):
        context = toy.context_of(
            model,
            beam_width=width,
            n_best=n_best,
            max_length=max_length,
            length_penalty_weight=weight,
            choose_successors=rule,
            return_attention=True,
        )
        return beam_search(toy.step_of(model, jnp), model.start, context)

    return lambda *args, **kwargs: jax.device_get(run(*args, **kwargs))


def step_context(eos_id, **options):
    """The context of a single step, which does not read where a search starts."""
    return DecodeContext(config=SearchConfig(**options), batch_size=1, bos_id=eos_id, eos_id=eos_id)


def score(log_prob, words, weight):
    return log_prob / ((5 + len(words)) / 6) ** weight


def search_with_lists(step, start, *, width, weight, start_id, end_id, max_length):
    """One sentence's beam search to the very end: [(score, words, finished, log_prob)]."""
    beams = [(0.0, (), False, 0.0, start)]
    for _ in range(max_length):
        candidates = []
        for old_score, words, finished, log_prob, hidden in beams:
            if finished:
                candidates.append((old_score, words, True, log_prob, hidden))
                continue
            previous = words[-1] if words else start_id
            log_probs, new_hidden, _ = step(np.array([previous]), hidden)
            for word, gain in enumerate(log_probs[0]):
                total = log_prob + gain
                longer = words if word == end_id else (*words, word)
                candidates.append(
                    (score(total, longer, weight), longer, word == end_id, total, new_hidden)
                )
        beams = sorted(candidates, key=lambda beam: -beam[0])[:width]
    return [beam[:4] for beam in beams]


def words_of(result, row, slot):
    return tuple(result.ids[row, slot, : result.lengths[row, slot]].tolist())


def assert_same_hypotheses(result, row, expected):
    """The first of the result's hypotheses are `expected`, in this order."""
    for slot, (best, words, finished, log_prob) in enumerate(expected):
        assert words_of(result, row, slot) == words
        assert result.finished[row, slot] == finished
        np.testing.assert_allclose(result.scores[row, slot], best, rtol=1e-4)
        np.testing.assert_allclose(result.log_probs[row, slot], log_prob, rtol=1e-4)


def test_the_length_penalty_is_that_of_the_paper():
    lengths = jnp.array([1, 7, 19])
    np.testing.assert_allclose(length_penalty(lengths, 0.0), [1, 1, 1])
    np.testing.assert_allclose(length_penalty(lengths, 1.0), [1, 2, 4])
    np.testing.assert_allclose(length_penalty(lengths, 0.5), [1, np.sqrt(2), 2], rtol=1e-6)


def test_the_coverage_penalty_is_that_of_the_paper():
    coverage = jnp.array([[[0.5, 1.5, 0.2], [0.1, 0.1, 0.2]], [[0.0, 1.0, 1.0], [1.0, 2.0, 3.0]]])
    penalty = coverage_penalty(coverage, jnp.array([2, 3]))
    tiny = np.log(np.finfo(np.float32).tiny)
    np.testing.assert_allclose(penalty, [[np.log(0.5), 2 * np.log(0.1)], [tiny, 0.0]], rtol=1e-5)


def test_gather_tree_reads_along_the_backpointers():
    words = jnp.array([[[0, 1, 2]], [[3, 4, 5]], [[6, 7, 8]]])
    parents = jnp.array([[[0, 0, 0]], [[2, 0, 1]], [[1, 1, 0]]])
    histories = gather_tree(words, parents)[:, 0].T
    assert histories.tolist() == [[0, 4, 6], [0, 4, 7], [2, 3, 8]]


def test_tiling_puts_the_hypotheses_of_a_source_next_to_each_other():
    tiled = tile_to_beams({"a": jnp.array([[1, 2], [3, 4]])}, 2)
    assert tiled["a"].tolist() == [[1, 2], [1, 2], [3, 4], [3, 4]]


def test_the_first_step_extends_only_the_empty_hypothesis():
    log_probs = jnp.log(jnp.array([[[0.5, 0.2, 0.3], [1, 0, 0], [1, 0, 0]]]))
    _, words, parents = beam_step(initial_beam_state(1, 3), log_probs, step_context(2))
    assert words.tolist() == [[0, 2, 1]]
    assert parents.tolist() == [[0, 0, 0]]


def test_a_finished_hypothesis_keeps_its_score_and_competes():
    """One finished hypothesis between two live ones, weight 1; the end is word 2."""
    log_probs = jnp.array([[-1.0, -2.0, -4.0]])
    lengths = jnp.array([[1, 1, 1]])
    state = BeamState(
        log_probs=log_probs,
        scores=log_probs,
        lengths=lengths,
        finished=jnp.array([[False, True, False]]),
    )
    next_log_probs = jnp.log(jnp.array([[[0.8, 0.1, 0.1], [0.9, 0.05, 0.05], [0.3, 0.1, 0.6]]]))
    new, words, parents = beam_step(
        state, next_log_probs, step_context(2, length_penalty_weight=1.0)
    )
    # (-1 + ln 0.8) / (7/6) = -1.048; the finished one stays at -2; (-1 + ln 0.1) / (7/6) = -2.831.
    assert words.tolist() == [[0, 2, 1]]
    assert parents.tolist() == [[0, 1, 0]]
    assert new.finished.tolist() == [[False, True, False]]
    assert new.lengths.tolist() == [[2, 1, 2]]
    np.testing.assert_allclose(new.scores, [[-1.0484, -2.0, -2.8308]], atol=1e-4)
    np.testing.assert_allclose(new.log_probs, [[-1.2231, -2.0, -3.3026]], atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_width_one_equals_greedy(toy, search, seed):
    model = toy.random_model(seed)
    greedy = greedy_search(
        toy.step_of(model, jnp),
        model.start,
        toy.context_of(model, max_length=MAX_LENGTH, return_attention=True),
    )
    chex.assert_trees_all_close(search(model, width=1), jax.device_get(greedy), rtol=1e-5)


@pytest.mark.parametrize("weight", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_equals_brute_force(toy, search, seed, weight):
    model = toy.random_model(seed, vocabulary_size=4, batch_size=2)
    start_id, end_id = 2, 3
    sentences = [
        (words, finished)
        for finished in (True, False)
        for length in (range(BRUTE_FORCE_LENGTH) if finished else [BRUTE_FORCE_LENGTH])
        for words in itertools.product(range(3), repeat=length)
    ]
    width = len(sentences)
    result = search(model, weight, width=width, n_best=width, max_length=BRUTE_FORCE_LENGTH)
    for row in range(2):
        expected = []
        for words, finished in sentences:
            ids = [*words, end_id] if finished else list(words)
            log_prob, _ = toy.replay(model, row, ids, start_id)
            expected.append((score(log_prob, words, weight), words, finished, log_prob))
        expected.sort(key=lambda hypothesis: -hypothesis[0])
        assert_same_hypotheses(result, row, expected[:20])
        np.testing.assert_allclose(result.scores[row], [best for best, *_ in expected], rtol=1e-4)


@pytest.mark.parametrize("n_best", [1, BRUTE_FORCE_WIDTH])
def test_a_wide_beam_with_a_coverage_penalty_equals_brute_force(toy, n_best):
    """Here attention is a distribution, made of the state that the toy model shows. Of three places
    of the source the last is padding."""

    def attending(model, xp):
        def step(tokens, hidden):
            log_probs, hidden, seen = toy.step_of(model, xp)(tokens, hidden)
            weights = xp.exp(3 * seen[:, :3])
            return log_probs, hidden, weights / weights.sum(-1, keepdims=True)

        return step

    @jax.jit
    def search(model):
        context = toy.context_of(
            model,
            source_len=jnp.array([2, 2]),
            beam_width=BRUTE_FORCE_WIDTH,
            n_best=n_best,
            length_penalty_weight=0.6,
            coverage_penalty_weight=3.0,
            max_length=BRUTE_FORCE_LENGTH,
        )
        return beam_search(attending(model, jnp), model.start, context)

    best_differ = False
    for seed in range(4):
        model = toy.random_model(seed, vocabulary_size=4, batch_size=2)
        result = jax.device_get(search(model))
        for row in range(2):
            expected = []
            sentences = toy.all_sentences(model, row, BRUTE_FORCE_LENGTH)
            for words, (log_prob, finished) in sentences.items():
                hidden, coverage = model.start[row : row + 1], 0.0
                for word in [2, *words][: BRUTE_FORCE_LENGTH if not finished else None]:
                    _, hidden, weights = attending(model, np)(np.array([word]), hidden)
                    coverage += weights[0]
                penalty = 3 * np.log(np.minimum(coverage, 1))[:2].sum()
                total = score(log_prob, words, 0.6) + penalty
                expected.append((total, words, finished, log_prob))
            expected.sort(key=lambda hypothesis: -hypothesis[0])
            assert_same_hypotheses(result, row, expected[:n_best][:20])
            best_differ |= max(sentences, key=lambda w: sentences[w][0]) != expected[0][1]
    assert best_differ


def test_a_coverage_penalty_needs_attention(toy):
    def step(tokens, state):
        return jnp.zeros([len(tokens), 5]), state, jnp.zeros([len(tokens), 0])

    context = DecodeContext(
        config=SearchConfig(beam_width=2, coverage_penalty_weight=0.1, max_length=2),
        batch_size=1,
        bos_id=3,
        eos_id=4,
        source_len=jnp.array([2]),
    )
    with pytest.raises(ValueError, match="needs a model with attention, and source_len"):
        beam_search(step, jnp.zeros(1), context)


@pytest.mark.parametrize("weight", [0.0, 0.6, 2.0, -0.5])
@pytest.mark.parametrize("seed", range(5))
def test_a_narrow_beam_equals_a_slow_search_with_lists(toy, search, seed, weight):
    """And so does the first hypothesis of a search that ends early."""
    model = toy.random_model(seed)
    fit = search(model, weight, n_best=3)
    ended_early = search(model, weight, n_best=1)
    for row in range(4):
        expected = search_with_lists(
            toy.step_of(model, np),
            model.start[row : row + 1],
            width=3,
            weight=weight,
            start_id=3,
            end_id=4,
            max_length=MAX_LENGTH,
        )
        assert_same_hypotheses(fit, row, expected)
        assert_same_hypotheses(ended_early, row, expected[:1])


@pytest.mark.parametrize("weight", [0.0, 1.0, -2.0])
@pytest.mark.parametrize("n_best", [1, 2])
def test_early_stopping_does_not_change_the_n_best(toy, search, n_best, weight):
    was_cut_short = False
    for seed in range(20):
        model = toy.random_model(seed)
        early, complete = search(model, weight, n_best=n_best), search(model, weight, n_best=3)
        chex.assert_trees_all_equal(
            jax.tree.map(lambda leaf: leaf[:, :n_best], early),
            jax.tree.map(lambda leaf: leaf[:, :n_best], complete),
        )
        was_cut_short |= bool((~early.finished & (early.lengths < MAX_LENGTH)).any())
    assert was_cut_short


def test_the_search_ends_when_all_sources_are_done():
    calls = []

    def step(tokens, count):
        """A certain sentence of two words; every other word is worth little."""
        jax.debug.callback(lambda: calls.append(None))
        likely = jnp.where(count < 2, 0, 4)
        log_probs = jax.nn.log_softmax(10.0 * jax.nn.one_hot(likely, 5))
        return log_probs, count + 1, jnp.zeros([len(tokens), 0])

    context = DecodeContext(
        config=SearchConfig(beam_width=3, length_penalty_weight=0.6, max_length=20),
        batch_size=2,
        bos_id=3,
        eos_id=4,
    )
    result = beam_search(step, jnp.zeros(2, jnp.int32), context)
    jax.effects_barrier()
    assert result.lengths[:, 0].tolist() == [2, 2]
    assert len(calls) == 3


@pytest.mark.parametrize("seed", range(3))
def test_a_result_does_not_depend_on_the_rest_of_the_batch(toy, search, seed):
    model = toy.random_model(seed)
    others = model.start.copy()
    others[1:] = toy.random_model(seed + 100).start[1:]
    first, second = search(model, 0.6), search(model._replace(start=others), 0.6)
    chex.assert_trees_all_equal(
        jax.tree.map(lambda leaf: leaf[0], first), jax.tree.map(lambda leaf: leaf[0], second)
    )
    alone = search(model._replace(start=model.start[:1]), 0.6)
    chex.assert_trees_all_close(alone, jax.tree.map(lambda leaf: leaf[:1], first), rtol=1e-5)


@pytest.mark.parametrize("n_best", [1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_attention_belongs_to_the_tokens_of_the_hypothesis(toy, search, seed, n_best):
    model = toy.random_model(seed)
    result = search(model, 0.6, n_best=n_best)
    for row, slot in itertools.product(range(4), range(3)):
        ids = [*words_of(result, row, slot), *([4] if result.finished[row, slot] else [])]
        log_prob, attention = toy.replay(model, row, ids, 3)
        np.testing.assert_allclose(result.log_probs[row, slot], log_prob, rtol=1e-4)
        np.testing.assert_allclose(
            result.attention[row, slot, : len(ids)], attention, atol=1e-5, err_msg=f"{row} {slot}"
        )
        assert not result.attention[row, slot, len(ids) :].any()


def test_a_beam_wider_than_the_vocabulary_works(toy, search):
    model = toy.random_model(0)
    result = search(model, width=9, n_best=9)
    for row in range(4):
        expected = search_with_lists(
            toy.step_of(model, np),
            model.start[row : row + 1],
            width=9,
            weight=0.0,
            start_id=3,
            end_id=4,
            max_length=MAX_LENGTH,
        )
        assert_same_hypotheses(result, row, expected)


def test_beam_indices_without_a_hypothesis_are_empty(toy, search):
    """One step has only five outcomes for nine beam indices."""
    result = search(toy.random_model(0), width=9, max_length=1)
    assert np.isfinite(result.log_probs[:, :5]).all()
    assert np.isneginf(result.log_probs[:, 5:]).all()
    assert np.isneginf(result.scores[:, 5:]).all()
    assert not result.lengths[:, 5:].any()
    assert not result.finished[:, 5:].any()
    assert (result.ids[:, 5:] == 4).all()


def test_a_search_without_sequence_end_stops_at_max_length(toy, search):
    result = search(toy.random_model(0, end_bias=-1e9), 0.6)
    assert not result.finished.any()
    assert (result.lengths == MAX_LENGTH).all()
    assert (result.ids < 4).all()


def best_of_each(scores):
    """Every hypothesis survives in its own slot, with its best word."""
    width, vocabulary_size = scores.shape[1:]
    return jnp.argmax(scores, axis=-1) + vocabulary_size * jnp.arange(width)


def test_a_custom_function_chooses_the_successors(toy, search):
    model = toy.random_model(2)
    result, greedy = search(model, rule=best_of_each), search(model, width=1)
    chex.assert_trees_all_close(jax.tree.map(lambda leaf: leaf[:, :1], result), greedy, rtol=1e-5)
    assert np.isneginf(result.log_probs[:, 1:]).all()


def test_equal_shapes_are_traced_once(toy):
    @jax.jit
    @chex.assert_max_traces(n=1)
    def run(model, weight):
        context = toy.context_of(model, beam_width=2, length_penalty_weight=weight, max_length=3)
        return beam_search(toy.step_of(model, jnp), model.start, context)

    for seed, weight in enumerate([0.0, 0.6, 1.0]):
        run(toy.random_model(seed), weight)


def test_n_best_above_the_beam_width_is_refused(toy, search):
    with pytest.raises(ValueError, match="between 1 and beam_width=3; got 4"):
        search(toy.random_model(0), n_best=4)
