"""The loss over real positions alone, against the one of all logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.models.losses import cross_entropy
from seq2seq_jax.ops import linear_cross_entropy as linear_cross_entropy

B, T, D, V = 3, 5, 4, 7
RANDOM = np.random.default_rng(0)
LAYER = {"kernel": RANDOM.normal(size=(D, V)), "bias": RANDOM.normal(size=V)}
FEATURES = RANDOM.normal(size=(B, T, D))
TARGETS = RANDOM.integers(V, size=(B, T))


@pytest.mark.parametrize("lengths", [[5, 1, 3], [0, 5, 0], [0, 0, 0], [5, 5, 5]], ids=str)
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_loss_and_gradients_are_those_of_all_logits(monkeypatch, lengths, label_smoothing):
    """Whatever the number of turns: 8 positions each."""
    monkeypatch.setattr(linear_cross_entropy, "ROWS", 8)

    def of_real_positions(features, kernel, bias):
        args = TARGETS, jnp.array(lengths), label_smoothing
        return linear_cross_entropy.linear_cross_entropy(features, kernel, bias, *args)

    def of_all_logits(features, kernel, bias):
        logits = features @ kernel + bias
        return cross_entropy(logits, TARGETS, jnp.array(lengths), label_smoothing)[0]

    with jax.enable_x64(True):
        found, expected = (
            jax.value_and_grad(lambda *args, loss=loss: 2 * loss(*args), argnums=(0, 1, 2))(
                jnp.array(FEATURES), jnp.array(LAYER["kernel"]), jnp.array(LAYER["bias"])
            )
            for loss in (of_real_positions, of_all_logits)
        )
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-12), found, expected)


def test_padding_is_not_worked_on(monkeypatch):
    """What would be no number in the padding is never looked at."""
    monkeypatch.setattr(linear_cross_entropy, "ROWS", 8)
    features = np.array(FEATURES, np.float32)
    lengths = np.array([3, 3, 2])
    features[np.arange(T) >= lengths[:, None]] = np.nan
    layer = (jnp.array(LAYER["kernel"], jnp.float32), jnp.array(LAYER["bias"], jnp.float32))
    gradient = jax.grad(linear_cross_entropy.linear_cross_entropy)(
        jnp.array(features), *layer, TARGETS, lengths
    )
    assert np.isfinite(gradient).all()
    assert not gradient[np.arange(T) >= lengths[:, None]].any()
