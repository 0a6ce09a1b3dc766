import jax.numpy as jnp
import numpy as np
import pytest

from experiments.emoji.prototype_encoder import (
    PrototypeHead,
    PrototypeHeadConfig,
    Prototypes,
    initialize_prototype_head,
)
from seq2seq_jax.storage.metrics_log import read_metrics
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.training.train import train
from seq2seq_jax.utils.cache_dir import cache_dir
from seq2seq_jax.utils.errors import UserError
from tests.captioning.test_training import config_of
from tests.tiny_images import TinyEncoder, write_images


class TinyPrototypeEncoder(TinyEncoder):
    head: PrototypeHeadConfig = PrototypeHeadConfig(final_state="grid", num_prototypes=16)

    def make_head(self):
        return PrototypeHead(self.head)

    initialize_head = initialize_prototype_head


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("images")
    write_images(directory)
    return directory


def settings(directory, steps, **overrides):
    """A configuration with the encoder above; `__` stands for dots."""
    values = {"encoder__class": f"{__name__}.TinyPrototypeEncoder", "images__variants": 3}
    values |= {"train_steps": steps, "eval_every_n_steps": 0, **overrides}
    return config_of(directory, **values)


def initial_head(directory, workdir, **overrides):
    """The parameters of the head after a step that changes nothing, and the cached features."""
    config = settings(directory, 1, optimizer__learning_rate=1e-9, **overrides)
    train(config, workdir)
    _, arrays, _ = Workdir(workdir).checkpoints(config).read()
    prefix = "params.encoder.feature_head."
    (features,) = (
        array
        for array in map(np.load, cache_dir("features").glob("*.npy"))
        if array.shape == (16 * 4, 4, 5)
    )
    head = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    return head, features


def assert_separates_images(projected):
    """The scatter between images is larger than within an image and its variants."""
    within = projected - projected.mean(1, keepdims=True)
    assert np.square(projected).mean() > 3 * np.square(within).mean()


def test_layers_are_initialized_with_discriminants(directory, tmp_path):
    units = {"encoder__params__head__num_units": 2, "encoder__params__head__final_units": 6}
    head, features = initial_head(directory, tmp_path, **units)
    project, final = (
        (head[f"features.{name}.kernel"], head[f"features.{name}.bias"])
        for name in ("project", "project_final")
    )
    assert (project[0].shape, final[0].shape) == ((5, 2), (8, 6))
    projected = features @ project[0] + project[1]
    assert_separates_images(projected.reshape(16, 4, 4, 2))
    assert_separates_images((projected.reshape(64, 8) @ final[0] + final[1]).reshape(16, 4, 6))


def test_prototypes_are_initialized_with_the_means_of_images_and_variants(directory, tmp_path):
    head, features = initial_head(directory, tmp_path)
    means = features.reshape(16, 4, 20).mean(1)
    np.testing.assert_allclose(head["prototypes.vectors"], means, rtol=1e-5)


def test_a_model_with_prototypes_names_the_images_it_has_seen(directory, tmp_path):
    assert train(settings(directory, 150, eval_every_n_steps=150), tmp_path)
    (line,) = (line for line in read_metrics(tmp_path) if "dev/sequence_accuracy" in line)
    assert line["dev/sequence_accuracy"] == 100


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"images__cache_features": False}, "needs .*images.cache_features=true"),
        ({"images__variants": 0}, "images.variants above 0"),
        ({"encoder__params__head__num_units": 6}, "6 units cannot be initialized from 5 features"),
        ({"encoder__params__head__num_prototypes": 17}, "is 17, but there are 16 training images"),
    ],
)
def test_an_initialization_that_is_impossible_is_one_line(directory, tmp_path, overrides, told):
    with pytest.raises(UserError, match=rf"^encoder\.(class|params\.head.*): .*{told}"):
        train(settings(directory, 1, **overrides), tmp_path)


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
