"""InceptionV3 computes what Keras's and torchvision's do; its parts, and the encoder around it.

`inception_v3.npz` holds what they computed, with weights and images that are drawn from numbers;
`tests/golden_makers/inception_v3.py` made it.
"""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import lax

from seq2seq_jax.captioning.models.inception_blocks import convolutions
from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
from seq2seq_jax.captioning.models.inception_v3 import (
    InceptionV3,
    average_pool,
    convolve,
    max_pool,
)
from seq2seq_jax.utils.errors import UserError
from tests.golden_makers.drawn_weights import drawn, drawn_images

quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent / "inception_v3.npz") as arrays:
        return dict(arrays)


@functools.cache
def drawn_array(number, leaf, shape):
    return drawn(number, leaf, shape)


def drawn_variables(module, images):
    numbers = {names: i for i, names in enumerate(convolutions("mixed10"))}
    shapes = flatten_dict(jax.eval_shape(module.init, jax.random.key(0), images))
    return unflatten_dict(
        {path: drawn_array(numbers[path[-3:-1]], path[-1], s.shape) for path, s in shapes.items()}
    )


def assert_equal_to_1e_4(ours, theirs):
    """Compares relative to the largest number; large maps have every 16th channel."""
    ours = ours if ours.shape == theirs.shape else ours[..., ::16]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())


def map_shape(height, width, block):
    """The (h, w, C) of a block's feature map."""
    images = jnp.zeros((1, height, width, 3))
    network = InceptionV3(block=block)
    return jax.eval_shape(network.init_with_output, jax.random.key(0), images)[0].shape[1:]


def maps(encoder, images):
    """The feature maps of the blocks mixed2 and mixed10, of shape [B, h, w, C]."""
    for block in ("mixed2", "mixed10"):
        one = encoder.copy(block=block)
        features = quick_jit(one.apply)(drawn_variables(one, images), images).outputs
        shape = map_shape(*images.shape[1:3], block)
        yield block, features.reshape(len(images), *shape)


def compare_sizes(golden, source, size, number, **settings):
    images = drawn_images(size, number)
    encoder = InceptionV3Encoder(size, size, **settings)
    for block, ours in maps(encoder, images):
        assert_equal_to_1e_4(ours, golden[f"{source}/{size}/{block}"])


def test_keras_computes_the_same_at_75_pixels(golden):
    compare_sizes(golden, "keras/random", 75, 2)


@pytest.mark.slow
def test_keras_computes_the_same_at_299_pixels(golden):
    compare_sizes(golden, "keras/random", 299, 1)


TORCH = {"pools_count_padding": True, "batch_norm_scale": True}


def test_torchvision_computes_the_same_at_75_pixels(golden):
    compare_sizes(golden, "torch/torchvision", 75, 2, **TORCH)


@pytest.mark.slow
def test_torchvision_computes_the_same_at_299_pixels(golden):
    compare_sizes(golden, "torch/torchvision", 299, 1, **TORCH)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "number"), [(75, 2), (299, 1)])
def test_timm_computes_the_same(golden, size, number):
    compare_sizes(golden, "torch/timm", size, number, **TORCH)


@pytest.fixture(scope="module")
def in_training(golden):
    """One pass in training mode, of which everything from mixed1 on is trained or nothing."""
    images = drawn_images(75, 2).astype(np.float32) / 127.5 - 1

    def run(trainable):
        network = InceptionV3(block="mixed2", trainable=trainable)
        variables = drawn_variables(network, images)

        def loss(params):
            output, moved = network.apply(
                {**variables, "params": params}, images, train=True, mutable=["batch_stats"]
            )
            return jnp.sum(output), (output, moved["batch_stats"])

        step = quick_jit(jax.value_and_grad(loss, has_aux=True))
        (_, (output, moved)), gradient = step(variables["params"])
        return variables, output, moved, gradient

    return functools.cache(run)


def test_batch_norm_in_training_is_that_of_keras(golden, in_training):
    _, output, moved, _ = in_training("all")
    assert_equal_to_1e_4(output, golden["keras/training/75/mixed2"])
    last = moved["mixed2"]["branch3_conv0"]
    assert_equal_to_1e_4(last["mean"], golden["keras/training/75/mean"])
    assert_equal_to_1e_4(last["var"], golden["keras/training/75/var"])


def test_what_comes_before_the_first_trained_block_stays_as_it_is(in_training):
    variables, _, moved, gradient = in_training("mixed1")
    assert variables["params"].keys() == gradient.keys() == {"mixed1", "mixed2"}
    assert variables["frozen"].keys() == {"stem", "mixed0"}
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))
    for name, statistics in variables["batch_stats"].items():
        equal = jax.tree.map(np.array_equal, statistics, moved[name])
        assert set(jax.tree.leaves(equal)) == {name in ("stem", "mixed0")}


def test_a_network_that_is_not_trained_has_no_parameters():
    images = jnp.zeros((1, 75, 75, 3))
    shapes = jax.eval_shape(InceptionV3Encoder().init, jax.random.key(0), images)
    assert shapes.keys() == {"frozen", "batch_stats"}
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 21_802_784  # as Keras counts


def test_a_block_behind_the_last_one_cannot_be_trained():
    encoder = InceptionV3Encoder(75, 75, block="mixed2", trainable="mixed4")
    with pytest.raises(
        UserError, match=r"^encoder\.params\.trainable: mixed4 comes after .*mixed2"
    ):
        jax.eval_shape(encoder.init, jax.random.key(0), jnp.zeros((1, 75, 75, 3)))


def test_images_are_scaled_and_resized_for_the_weights():
    images = drawn_images(96, 2)
    encoder = InceptionV3Encoder(resize_height=75, resize_width=107, block="stem")
    variables = drawn_variables(encoder, images)
    encoded = quick_jit(encoder.apply)(variables, images)

    scaled = images.astype(np.float32) / 127.5 - 1
    resized = jax.image.resize(scaled, (2, 75, 107, 3), "bilinear")
    by_hand = quick_jit(encoder.apply)(variables, resized)
    np.testing.assert_allclose(encoded.outputs, by_hand.outputs, atol=1e-5)

    height, width, channels = map_shape(75, 107, "stem")
    assert (height, width, channels) == (7, 11, 192)
    assert encoded.outputs.shape == encoded.attention_values.shape == (2, 77, 192)
    np.testing.assert_array_equal(encoded.attention_values_length, [77, 77])
    np.testing.assert_allclose(encoded.final_state, encoded.outputs.mean(axis=1), atol=1e-6)


def test_images_of_other_numbers_are_refused():
    with pytest.raises(UserError, match=r"images: must be uint8, or floats .* got int32"):
        InceptionV3Encoder().init(jax.random.key(0), jnp.zeros((1, 75, 75, 3), jnp.int32))


def test_a_map_of_299_pixels_is_that_of_the_paper():
    sizes = {block: map_shape(299, 299, block) for block in ("mixed2", "mixed7", "mixed10")}
    assert sizes == {"mixed2": (35, 35, 288), "mixed7": (17, 17, 768), "mixed10": (8, 8, 2048)}
    assert map_shape(75, 75, "mixed10") == (1, 1, 2048)
    assert len(convolutions("mixed10")) == 94


@pytest.mark.parametrize(
    ("size", "kernel", "channels", "stride", "padding"),
    [
        (9, (3, 3), 4, 1, "SAME"),
        (9, (3, 3), 80, 1, "SAME"),  # many channels: another way to the kernel's gradient
        (9, (1, 7), 80, 1, "SAME"),
        (9, (3, 3), 4, 1, "VALID"),
        (9, (3, 3), 4, 2, "VALID"),
        (3, (7, 1), 80, 1, "SAME"),  # a kernel that reaches beyond the map
        (1, (3, 3), 4, 1, "SAME"),
    ],
)
def test_roundabout_convolutions_are_convolutions(size, kernel, channels, stride, padding):
    random = np.random.default_rng(0)
    x = random.standard_normal((2, size, size + 1, channels), np.float32)
    weights = random.standard_normal((*kernel, channels, 5), np.float32)

    def plain(x, weights):
        numbers = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(
            x, weights, (stride, stride), padding, dimension_numbers=numbers
        )

    def ours(x, weights):
        return convolve(x, weights, stride, padding)

    for mine, reference in zip(
        (ours(x, weights), *jax.grad(lambda *a: jnp.sum(ours(*a) ** 2), (0, 1))(x, weights)),
        (plain(x, weights), *jax.grad(lambda *a: jnp.sum(plain(*a) ** 2), (0, 1))(x, weights)),
        strict=True,
    ):
        np.testing.assert_allclose(mine, reference, rtol=1e-4, atol=1e-5 * np.abs(reference).max())


@pytest.mark.parametrize("size", [3, 4, 7])
def test_pools_are_pools(size):
    x = np.random.default_rng(0).standard_normal((2, size, size + 1, 5), np.float32)
    theirs = nn.max_pool(x, (3, 3), (2, 2), "VALID")
    np.testing.assert_array_equal(max_pool(x), theirs)
    for count in (False, True):
        theirs = nn.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=count)
        np.testing.assert_allclose(average_pool(x, count), theirs, rtol=1e-5, atol=1e-6)
