import jax.numpy as jnp
import numpy as np

from seq2seq_jax.captioning.models.prototypes import Prototypes


def test_what_is_like_a_prototype_counts_by_its_cosine():
    vectors = np.array([[1, 0], [0, 2], [-3, 0]], np.float32)
    params = {"vectors": vectors, "sharpness": jnp.asarray(2.0)}
    x = np.array([[0.5, 0], [3, 3]], np.float32)

    found = Prototypes(3, 20.0).apply({"params": params}, x)

    cosines = np.array([[1, 0, -1], [0.5**0.5, 0.5**0.5, -(0.5**0.5)]])
    weights = np.exp(2 * cosines)
    np.testing.assert_allclose(found, weights / weights.sum(1, keepdims=True), rtol=1e-5)


def test_a_sharp_enough_softmax_is_the_nearest_neighbour():
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
