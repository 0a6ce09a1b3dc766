"""Fused cross-entropy against the reference, which computes all logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.ops import cross_entropy
from seq2seq_jax.ops.cross_entropy import linear_cross_entropy, softmax_cross_entropy
from seq2seq_jax.ops.kernels import use_kernels

B, T, D, V = 3, 5, 4, 7
RANDOM = np.random.default_rng(0)
KERNEL, BIAS = RANDOM.normal(size=(D, V)), RANDOM.normal(size=V)
X = RANDOM.normal(size=(B, T, D))
TARGETS = jnp.array(RANDOM.integers(V, size=(B, T)))
LENGTHS = [[5, 1, 3], [0, 5, 0], [0, 0, 0], [5, 5, 5]]


def value_and_grad(loss, *args):
    """Of both kernels."""
    results = []
    for kernels in ("fast", "reference"):
        with use_kernels(kernels):
            argnums = tuple(range(len(args)))
            results.append(jax.value_and_grad(lambda *args: 2 * loss(*args), argnums)(*args))
    return results


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_fast_and_reference_linear_cross_entropy_agree(monkeypatch, lengths, label_smoothing):
    monkeypatch.setattr(cross_entropy, "ROWS", 8)  # Several turns.

    def loss(x, kernel, bias):
        return linear_cross_entropy(x, kernel, bias, TARGETS, jnp.array(lengths), label_smoothing)

    with jax.enable_x64(True):
        fast, reference = value_and_grad(loss, jnp.array(X), jnp.array(KERNEL), jnp.array(BIAS))
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-12), fast, reference)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_fast_and_reference_softmax_cross_entropy_agree(label_smoothing):
    weights = jnp.array(RANDOM.random(size=(B, T)))
    with jax.enable_x64(True):
        fast, reference = value_and_grad(
            lambda logits: softmax_cross_entropy(logits, TARGETS, weights, label_smoothing),
            jnp.array(X @ KERNEL + BIAS),
        )
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), fast, reference)


def test_fused_cross_entropy_does_not_read_padding(monkeypatch):
    monkeypatch.setattr(cross_entropy, "ROWS", 8)
    lengths = np.array([3, 3, 2])
    is_padding = np.arange(T) >= lengths[:, None]
    x = np.where(is_padding[..., None], np.nan, X).astype(np.float32)
    layer = (jnp.array(KERNEL, jnp.float32), jnp.array(BIAS, jnp.float32))
    gradient = jax.grad(linear_cross_entropy)(jnp.array(x), *layer, TARGETS, jnp.array(lengths))
    assert np.isfinite(gradient).all()
    assert not gradient[is_padding].any()
