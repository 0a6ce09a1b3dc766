"""Samples compared with the exact distribution over all outputs of a small model."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.search.decode_loop import filter_logits, per_example_seeds, sample

START, END, MAX_LENGTH = 2, 3, 3
SIZES = {"vocabulary_size": 4, "batch_size": 3}
COUNT = 4000
SEEDS = per_example_seeds(1, ["a", "b", "c"])


@pytest.fixture(scope="module")
def draw(toy):
    @partial(jax.jit, static_argnames=("n_best", "temperature", "top_k", "top_p"))
    def run(model, seeds, **options):
        context = toy.context_of(
            model, seeds=seeds, sampling=True, max_length=MAX_LENGTH, **options
        )
        return sample(toy.step_of(model, jnp), model.start, context)

    return lambda *args, **options: jax.device_get(run(*args, **options))


def words_of(result, row):
    return [
        tuple(ids[:length].tolist())
        for ids, length in zip(result.ids[row], result.lengths[row], strict=True)
    ]


def renormalised(log_probs, *, temperature=1.0, top_k=0, top_p=1.0):
    """The distribution that is drawn from, the slow way."""
    probabilities = np.exp(log_probs / temperature)
    order = np.argsort(-probabilities)[: top_k or None]
    kept, mass = [], 0.0
    for word in order:
        if mass < top_p:
            kept.append(word)
        mass += probabilities[word] / probabilities[order].sum()
    inside = np.isin(np.arange(len(log_probs)), kept)
    probabilities = np.where(inside, probabilities, 0) / probabilities[inside].sum()
    with np.errstate(divide="ignore"):
        return np.log(probabilities)


@pytest.mark.parametrize(
    "options",
    [{"temperature": 0.6}, {"top_p": 0.8}, {"top_k": 3, "top_p": 0.7}],
    ids=str,
)
def test_outputs_are_sampled_with_their_probability(toy, draw, options):
    model = toy.random_model(3, **SIZES)
    result = draw(model, SEEDS, n_best=COUNT, **options)
    for row in range(3):
        sentences = toy.all_sentences(
            model, row, MAX_LENGTH, weights=lambda log_probs: renormalised(log_probs, **options)
        )
        found = words_of(result, row)
        for words, (log_prob, _) in sentences.items():
            p = np.exp(log_prob)
            # By chance one in a million is as far off; the 2 is for the rarest.
            tolerance = 5 * np.sqrt(COUNT * p * (1 - p)) + 2 if p else 0
            assert abs(found.count(words) - COUNT * p) <= tolerance, words


def test_the_log_probability_of_a_sample_is_that_of_the_model(toy, draw):
    model = toy.random_model(3, **SIZES)
    result = draw(model, SEEDS, n_best=COUNT, temperature=0.6)
    for row in range(3):
        sentences = toy.all_sentences(model, row, MAX_LENGTH)
        expected = [sentences[words] for words in words_of(result, row)]
        np.testing.assert_allclose(result.log_probs[row], [e[0] for e in expected], rtol=1e-4)
        assert result.finished[row].tolist() == [e[1] for e in expected]
        assert (np.diff(result.log_probs[row]) <= 0).all()


def test_a_sample_depends_on_its_seed_and_not_on_the_rest_of_the_batch(toy, draw):
    model, seeds = toy.random_model(3, **SIZES), SEEDS
    options = {"n_best": COUNT, "temperature": 0.6}
    together = draw(model, seeds, **options)
    turned = draw(model._replace(start=model.start[::-1]), seeds[::-1], **options)
    alone = draw(model._replace(start=model.start[1:2]), seeds[1:2], **options)
    assert [words_of(turned, 2 - row) for row in range(3)] == [
        words_of(together, row) for row in range(3)
    ]
    assert words_of(alone, 0) == words_of(together, 1)
    assert words_of(draw(model, seeds + 1, **options), 1) != words_of(together, 1)


def test_each_text_has_its_own_seed():
    texts = [f"text {i}" for i in range(1000)]
    seeds = per_example_seeds(0, texts)
    assert len(set(seeds.tolist())) == 1000
    assert per_example_seeds(0, [texts[5], texts[3]]).tolist() == [seeds[5], seeds[3]]
    assert not (per_example_seeds(1, texts) == seeds).any()


@pytest.mark.parametrize(
    ("options", "inside"),
    [
        ({"top_p": 0.49}, [0]),
        ({"top_p": 0.51}, [0, 1]),
        ({"top_p": 0.81}, [0, 1, 2]),
        ({"top_k": 1}, [0]),
        ({"top_k": 3}, [0, 1, 2]),
        ({"top_k": 9}, [0, 1, 2, 3]),
        ({"top_k": 2, "top_p": 0.62}, [0]),  # 0.5 of 0.8 is 0.625
        ({"temperature": 0.5, "top_p": 0.65}, [0]),  # 0.25 of 0.365 is 0.68
        ({"temperature": 0.5, "top_p": 0.7}, [0, 1]),
    ],
    ids=str,
)
def test_filtered_logits_are_the_top_k_or_the_nucleus(options, inside):
    log_probs = jnp.log(jnp.array([0.5, 0.3, 0.15, 0.05]))
    logits = filter_logits(log_probs, **options)
    assert np.flatnonzero(np.isfinite(logits)).tolist() == inside
    temperature = options.get("temperature", 1.0)
    np.testing.assert_allclose(logits[: len(inside)], log_probs[: len(inside)] / temperature)


def test_tokens_as_likely_as_the_last_one_are_kept_too():
    logits = jnp.log(jnp.array([0.25, 0.3, 0.25, 0.2]))
    assert np.isfinite(filter_logits(logits, top_k=2)).tolist() == [True, True, True, False]
    assert np.isfinite(filter_logits(logits, top_p=0.4)).tolist() == [True, True, True, False]
