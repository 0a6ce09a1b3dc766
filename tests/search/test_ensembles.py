"""Ensembles against numbers made by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.search.beam_search import beam_search
from seq2seq_jax.search.ensembles import ensemble_step, mean_attention, mean_log_probs


def test_the_linear_mean_averages_probabilities():
    members = jnp.log(jnp.array([[0.5, 0.5, 0.0], [0.1, 0.3, 0.6]]))
    np.testing.assert_allclose(
        np.exp(mean_log_probs([*members], "linear")), [0.3, 0.4, 0.3], rtol=1e-6
    )


def test_the_log_mean_is_the_normalized_geometric_mean():
    members = jnp.log(jnp.array([[0.5, 0.5, 0.0], [0.1, 0.3, 0.6]]))
    roots = np.sqrt([0.05, 0.15, 0.0])
    np.testing.assert_allclose(
        np.exp(mean_log_probs([*members], "log")), roots / roots.sum(), rtol=1e-6
    )


@pytest.mark.parametrize("mean", ["log", "linear"])
def test_a_constant_added_to_the_logits_changes_nothing(mean):
    members = [jnp.array([1.0, 2.0, 0.5]), jnp.array([0.0, 1.0, 3.0])]
    shifted = [members[0] + 5, members[1] - 3]
    np.testing.assert_allclose(
        mean_log_probs(members, mean), mean_log_probs(shifted, mean), rtol=1e-5
    )


def test_an_unknown_mean_is_refused():
    with pytest.raises(ValueError, match="one of: log, linear; got 'median'"):
        mean_log_probs([jnp.zeros(2), jnp.zeros(2)], "median")


def test_attention_is_averaged_over_the_members_that_have_attention():
    uniform, first, none = jnp.full([1, 2], 0.5), jnp.array([[1.0, 0.0]]), jnp.zeros([1, 0])
    assert mean_attention([uniform, none, first]).tolist() == [[0.75, 0.25]]
    assert mean_attention([none, none]).shape == (1, 0)


def test_a_wide_beam_of_two_models_equals_brute_force(toy):
    """Every sentence of up to two words of three, fed to both models word by word."""
    models = [toy.random_model(seed, vocabulary_size=4, batch_size=2) for seed in (0, 1)]
    result = jax.jit(
        lambda models: beam_search(
            ensemble_step([toy.step_of(model, jnp) for model in models], "log"),
            tuple(model.start for model in models),
            toy.context_of(models[0], beam_width=13, n_best=13, max_length=3),
        )
    )(models)

    def joint_log_probs(row, words):
        hidden = [model.start[row : row + 1] for model in models]
        for word in (2, *words):
            stepped = [
                toy.step_of(model, np)(np.array([word]), state)
                for model, state in zip(models, hidden, strict=True)
            ]
            hidden = [state for _, state, _ in stepped]
        first, second = (np.exp(log_probs[0]) for log_probs, _, _ in stepped)
        joint = np.sqrt(first * second)
        return np.log(joint / joint.sum())

    for row in range(2):
        for words, length, log_prob in zip(
            result.ids[row], result.lengths[row], result.log_probs[row], strict=True
        ):
            ids = [*words[:length].tolist(), 3][:3]
            total = sum(joint_log_probs(row, ids[:i])[word] for i, word in enumerate(ids))
            np.testing.assert_allclose(log_prob, total, rtol=1e-4)
        assert (np.diff(result.log_probs[row]) <= 0).all()
