import numpy as np

from seq2seq_jax.models.losses import cross_entropy, loss_sums
from tests.tiny_models import model_params, pair_batch, tiny_model

RANDOM = np.random.default_rng(0)


def test_cross_entropy_is_summed_over_all_positions_but_padding():
    logits = RANDOM.normal(size=(2, 3, 4)).astype(np.float32)
    targets, lengths = np.array([[1, 0, 3], [2, 2, 0]]), np.array([3, 1])
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -sum(
        log_probs[b, t, targets[b, t]] for b, length in enumerate(lengths) for t in range(length)
    )
    loss, tokens = cross_entropy(logits, targets, lengths)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    assert tokens == 4


def test_the_loss_of_uniform_logits_is_the_logarithm_of_the_vocabulary_size():
    loss, tokens = cross_entropy(np.zeros((2, 3, 8)), np.zeros((2, 3), int), np.array([3, 2]))
    np.testing.assert_allclose(loss / tokens, np.log(8), rtol=1e-6)


def test_label_smoothing_spreads_a_share_of_the_probability_over_all_tokens():
    logits = RANDOM.normal(size=(1, 2, 5)).astype(np.float32)
    targets, share = np.array([[3, 1]]), 0.1
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = np.full((2, 5), share / 5)
    wanted[[0, 1], targets[0]] += 1 - share
    loss, tokens = cross_entropy(logits, targets, np.array([2]), label_smoothing=share)
    np.testing.assert_allclose(loss, -(wanted * log_probs[0]).sum(), rtol=1e-6)
    assert tokens == 2


def test_padding_does_not_affect_the_loss():
    logits = RANDOM.normal(size=(2, 3, 4)).astype(np.float32)
    targets, lengths = np.zeros((2, 3), int), np.array([2, 0])
    loss, _ = cross_entropy(logits, targets, lengths)
    logits[0, 2:], logits[1], targets[0, 2:] = 1e9, -1e9, 3
    assert cross_entropy(logits, targets, lengths)[0] == loss


def test_the_model_predicts_every_target_token_but_the_first():
    model = tiny_model("BasicSeq2Seq")
    batch = pair_batch([(2, 4), (3, 2), (0, 0)])
    loss, tokens = loss_sums(model, model_params(model), batch)
    assert tokens == 3 + 1
    assert np.isfinite(loss)
