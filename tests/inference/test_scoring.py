"""The log-probabilities of given targets."""

from functools import partial

import jax
import numpy as np
import pytest

from seq2seq_jax.inference.scoring import make_score
from seq2seq_jax.models.losses import loss_sums
from tests.tiny_models import model_params, pair_batch, tiny_model

BATCH = pair_batch([(3, 4), (1, 2), (0, 0), (5, 6)])
ARRAYS = [BATCH[name] for name in ("source_ids", "source_len", "target_ids", "target_len")]


@pytest.fixture(scope="module")
def members():
    models = [tiny_model(), tiny_model("BasicSeq2Seq")]
    return models, [model_params(model, seed) for seed, model in enumerate(models)]


@pytest.fixture(scope="module")
def log_probs(members):
    """[B, T, V] of each member, by teacher forcing."""

    @jax.jit
    def forced(params):
        inputs = BATCH["target_ids"][:, :-1]
        return [
            jax.nn.log_softmax(model.apply({"params": own}, *ARRAYS[:2], inputs).logits)
            for model, own in zip(members[0], params, strict=True)
        ]

    return jax.device_get(forced(members[1]))


@pytest.fixture(scope="module")
def scores(members):
    (model, _), (params, _) = members
    return jax.device_get(make_score(model, return_attention=True)(params, *ARRAYS))


def test_scores_equal_the_log_probabilities_of_the_model(scores, log_probs):
    for row, length in enumerate(BATCH["target_len"]):
        words = BATCH["target_ids"][row, 1:length]
        expected = log_probs[0][row, np.arange(len(words)), words]
        np.testing.assert_allclose(scores.token_log_probs[row, : len(words)], expected, rtol=1e-4)
        assert not scores.token_log_probs[row, len(words) :].any()
        assert not scores.attention[row, len(words) :].any()
        np.testing.assert_allclose(
            scores.attention[row, : len(words)].sum(-1), np.ones(len(words)), rtol=1e-5
        )
    np.testing.assert_allclose(scores.log_probs, scores.token_log_probs.sum(1), rtol=1e-5)


def test_scores_sum_to_the_loss(members, scores):
    (model, _), (params, _) = members
    loss, tokens = jax.jit(partial(loss_sums, model))(params, BATCH)
    np.testing.assert_allclose(-scores.log_probs.sum(), loss, rtol=1e-5)
    assert tokens == (scores.token_log_probs < 0).sum()


@pytest.mark.parametrize("mean", ["log", "linear"])
def test_an_ensemble_averages_its_members(members, scores, log_probs, mean):
    models, params = members
    joint = make_score(models, ensemble_mean=mean, return_attention=True)(params, *ARRAYS)
    first, second = np.exp(log_probs)
    mixed = np.sqrt(first * second) if mean == "log" else first + second
    mixed = np.log(mixed / mixed.sum(-1, keepdims=True))
    expected = np.take_along_axis(mixed, BATCH["target_ids"][:, 1:, None], -1)[..., 0]
    real = scores.token_log_probs != 0
    np.testing.assert_allclose(
        joint.token_log_probs, np.where(real, expected, 0), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(joint.attention, scores.attention, atol=1e-5)  # the only one's


def test_reference_kernels_give_the_same_scores(members, scores):
    (model, _), (params, _) = members
    reference = make_score(model, return_attention=True, kernels="reference")(params, *ARRAYS)
    np.testing.assert_allclose(reference.token_log_probs, scores.token_log_probs, rtol=1e-5)
    np.testing.assert_allclose(reference.attention, scores.attention, atol=1e-6)
