import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.captioning.models.feature_head import FeatureHead, FeatureHeadConfig, Prototypes


@pytest.mark.parametrize(
    ("final_state", "prototypes", "width"),
    [("mean", 0, 3), ("grid", 0, 12), ("mean", 6, 6), ("grid", 6, 6)],
)
def test_the_configuration_decides_the_width_of_the_final_state(final_state, prototypes, width):
    head = FeatureHead(FeatureHeadConfig(final_state=final_state, num_prototypes=prototypes))
    features = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)

    encoded, variables = head.init_with_output(jax.random.key(0), features)

    assert encoded.final_state.shape == (2, width)
    assert ("params" in variables) == bool(prototypes)


def test_training_hides_all_features_of_an_image_from_attention_or_none():
    head = FeatureHead(FeatureHeadConfig(attention_keep_prob=0.25))
    features = np.random.default_rng(0).normal(size=(400, 4, 3)).astype(np.float32)

    trained = head.apply({}, features, train=True, rngs={"dropout": jax.random.key(0)})
    used = head.apply({}, features)

    hidden = (trained.outputs == 0).all((1, 2))
    assert 0.65 < hidden.mean() < 0.85
    np.testing.assert_allclose(trained.outputs[~hidden], 4 * features[~hidden], rtol=1e-6)
    np.testing.assert_array_equal(trained.attention_values, trained.outputs)
    np.testing.assert_allclose(trained.final_state, features.mean(1), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(used.outputs, features)


def test_the_similarity_to_a_prototype_is_a_softmax_of_cosines():
    vectors = np.array([[1, 0], [0, 2], [-3, 0]], np.float32)
    params = {"vectors": vectors, "sharpness": jnp.asarray(2.0)}
    x = np.array([[0.5, 0], [3, 3]], np.float32)

    found = Prototypes(3, 20.0).apply({"params": params}, x)

    cosines = np.array([[1, 0, -1], [0.5**0.5, 0.5**0.5, -(0.5**0.5)]])
    weights = np.exp(2 * cosines)
    np.testing.assert_allclose(found, weights / weights.sum(1, keepdims=True), rtol=1e-5)


def test_a_sharp_softmax_selects_the_nearest_prototype():
    random = np.random.default_rng(0)
    vectors, x = random.normal(size=(7, 5)), random.normal(size=(20, 5))
    params = {"vectors": vectors, "sharpness": jnp.asarray(1e4)}

    found = Prototypes(7, 20.0).apply({"params": params}, x)

    distances = np.linalg.norm(
        x[:, None] / np.linalg.norm(x, axis=1)[:, None, None]
        - vectors / np.linalg.norm(vectors, axis=1)[:, None],
        axis=2,
    )
    np.testing.assert_array_equal(np.argmax(found, 1), distances.argmin(1))
    np.testing.assert_allclose(np.max(found, 1), 1, atol=1e-3)
