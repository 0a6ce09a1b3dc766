"""The encoder of images."""

import json
import zlib

import jax
import numpy as np
from flax.traverse_util import unflatten_dict

from seq2seq_jax.captioning.models.inception_blocks import convolutions
from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
from seq2seq_jax.captioning.models.inception_v3 import EPSILON
from tests.golden_cases.golden_file import GoldenFile
from tests.golden_cases.networks import quick_jit


def compare_image_encoder(golden: GoldenFile) -> None:
    """The original has a bias where we have batch norm; flattens its final state, which we average;
    and counts the cells once for the whole batch."""
    encoder = InceptionV3Encoder(**golden.hparams)
    images = golden["in/image"]
    for axis in (1, 2):
        images = _resized(images, axis, golden["out/resized"].shape[axis])
    golden.check("out/resized", images)
    encoded = quick_jit(encoder.apply)(_variables(golden), images)
    golden.check("out/outputs", encoded.outputs, rtol=1e-4)
    golden.check("out/attention_values", encoded.attention_values, rtol=1e-4)
    flat = golden["out/final_state"]
    mean = flat.reshape(len(flat), -1, encoded.outputs.shape[-1]).mean(axis=1)
    golden.check_close(encoded.final_state, mean, message="the mean of out/final_state", rtol=1e-4)
    lengths = np.full(len(flat), golden["out/attention_values_length"])
    np.testing.assert_array_equal(encoded.attention_values_length, lengths)


def _variables(golden: GoldenFile) -> dict:
    """Not stored, but drawn as `meta/weight_recipe` says. Batch norm that only adds a bias has no
    mean, and a variance of 1 when EPSILON is added."""
    drawn = [_drawn(*variable.split(" ", 1)) for variable in golden["meta/variables"]]
    variables = {}
    pairs = zip(convolutions("mixed10"), drawn[::2], drawn[1::2], strict=True)
    for names, kernel, bias in pairs:
        variables["frozen", "network", *names, "kernel"] = kernel
        variables["frozen", "network", *names, "bias"] = bias
        variables["batch_stats", "network", *names, "mean"] = np.zeros_like(bias)
        variables["batch_stats", "network", *names, "var"] = np.full_like(bias, 1 - EPSILON)
    return jax.device_put(unflatten_dict(variables))


def _drawn(name: str, shape: str) -> np.ndarray:
    sizes = json.loads(shape)
    scale = np.sqrt(2 / np.prod(sizes[:3])) if len(sizes) == 4 else 0.1
    seed = zlib.crc32(f"inception|{name}".encode()) & 0x7FFFFFFF
    return (np.random.RandomState(seed).randn(*sizes) * scale).astype(np.float32)


def _resized(images: np.ndarray, axis: int, size: int) -> np.ndarray:
    """As TensorFlow 1.0 resizes: corners of pixels, not centres, lie on each other, so that the
    image moves half a pixel. Ours does not."""
    old = images.shape[axis]
    places = np.arange(size, dtype=np.float32) * np.float32(old / size)
    low = places.astype(int)
    weight = (places - low).reshape([-1 if i == axis else 1 for i in range(4)])
    high = np.minimum(low + 1, old - 1)
    return images.take(low, axis) * (1 - weight) + images.take(high, axis) * weight
