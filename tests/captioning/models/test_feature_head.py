import jax
import numpy as np
import pytest

from seq2seq_jax.captioning.models.feature_head import FeatureHead, FeatureHeadConfig


@pytest.mark.parametrize(
    ("final_state", "final_units", "width"),
    [("mean", 0, 3), ("grid", 0, 12), ("mean", 6, 6), ("grid", 6, 6)],
)
def test_the_configuration_decides_the_width_of_the_final_state(final_state, final_units, width):
    head = FeatureHead(FeatureHeadConfig(final_state=final_state, final_units=final_units))
    features = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)

    encoded, variables = head.init_with_output(jax.random.key(0), features)

    assert encoded.final_state.shape == (2, width)
    assert ("params" in variables) == bool(final_units)


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
