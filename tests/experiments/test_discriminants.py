import numpy as np

from experiments.emoji.discriminants import discriminants
from seq2seq_jax.captioning.data.feature_cache import CachedFeatures


def drawn_features(broken=()):
    """Forty images of two cells with three variants each. Images differ most in the first
    channel, but so do variants; in the second they differ too, and variants hardly do."""
    random = np.random.default_rng(0)
    between, within = np.array([4, 3, 0.5, 1]), np.array([3, 1, 1, 1])
    images = random.normal(size=(40, 1, 2, 4)) * between + [5, 6, 7, 8]
    features = images + random.normal(size=(40, 4, 2, 4)) * within
    features[list(broken)] = 0
    rows = features.reshape(160, 2, 4).astype(np.float32)
    return CachedFeatures(rows, {i * 4 + j for i in broken for j in range(4)}, "digest")


def test_what_tells_images_from_one_another_but_not_from_their_variants_comes_first():
    kernel, bias = discriminants(drawn_features(), 3, 2, images_at_once=7)
    assert (kernel.shape, bias.shape, kernel.dtype) == ((4, 2), (2,), np.float32)
    assert np.abs(kernel[:, 0]).argmax() == 1


def test_their_scatter_within_images_is_one_and_their_mean_zero():
    features = drawn_features()
    kernel, bias = discriminants(features, 3, 3)
    projected = (features.features @ kernel + bias).reshape(40, 4, 2, 3)
    assert np.abs(projected.mean((0, 1, 2))).max() < 1e-3
    scatter = (projected - projected.mean(1, keepdims=True)).reshape(-1, 3)
    covariance = scatter.T @ scatter / len(scatter)
    np.testing.assert_allclose(covariance, np.eye(3), atol=0.1)  # a little was added to variances


def test_broken_images_do_not_count():
    whole = drawn_features()
    kept = CachedFeatures(whole.features[8:], set(), "digest")
    broken = discriminants(drawn_features(broken=(0, 1)), 3, 2)
    for one, other in zip(broken, discriminants(kept, 3, 2), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
