import jax
import numpy as np
import pytest

from seq2seq_jax.captioning.models.inception_encoder import CellReader


@pytest.mark.parametrize(
    ("final_state", "prototypes", "width"),
    [("mean", 0, 3), ("cells", 0, 12), ("mean", 6, 6), ("cells", 6, 6)],
)
def test_a_reader_of_cells_gives_the_bridge_what_it_is_asked_for(final_state, prototypes, width):
    reader = CellReader(final_state=final_state, num_prototypes=prototypes)
    cells = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)

    encoded, variables = reader.init_with_output(jax.random.key(0), cells)

    assert encoded.final_state.shape == (2, width)
    assert ("params" in variables) == bool(prototypes)


def test_training_hides_all_that_attention_sees_of_a_picture_or_nothing():
    reader = CellReader(attention_keep_prob=0.25)
    cells = np.random.default_rng(0).normal(size=(400, 4, 3)).astype(np.float32)

    trained = reader.apply({}, cells, train=True, rngs={"dropout": jax.random.key(0)})
    used = reader.apply({}, cells)

    hidden = (trained.outputs == 0).all((1, 2))
    assert 0.65 < hidden.mean() < 0.85
    np.testing.assert_allclose(trained.outputs[~hidden], 4 * cells[~hidden], rtol=1e-6)
    np.testing.assert_array_equal(trained.attention_values, trained.outputs)
    np.testing.assert_allclose(trained.final_state, cells.mean(1), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(used.outputs, cells)
