"""The network of the emoji demo is converted from JavaScript to a file of Keras weights."""

import base64
import io
import json
import tarfile
from pathlib import Path

import jax
import numpy as np
import pytest

from experiments.emoji.nsfwjs import SCALING, convert, fetch_nsfwjs
from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
from seq2seq_jax.captioning.weights.inception_weights import (
    inception_variables,
    read_inception_weights,
)
from seq2seq_jax.utils.errors import UserError
from tests.golden_makers.drawn_weights import drawn_images

GOLDEN = Path(__file__).parents[1] / "captioning" / "models" / "inception_v3.npz"


def package_with(arrays_and_entries, directory):
    """Packs arrays as nsfwjs does: two shards in base64, and a manifest as minified JavaScript."""
    data = b"".join(array.tobytes() for array, _ in arrays_and_entries)
    shards = {"group1-shard1of2": data[:100], "group1-shard2of2": data[100:]}
    manifest = [{"paths": list(shards), "weights": [entry for _, entry in arrays_and_entries]}]
    script = json.dumps(manifest, separators=(",", ":")).replace('"', "'")
    for key in ("paths", "weights", "name", "shape", "dtype", "quantization", "min", "scale"):
        script = script.replace(f"'{key}':", f"{key}:")
    script = script.replace("'", '"').replace("0.", ".")
    texts = {"model": f"!function(){{n.exports={{a:!0,weightsManifest:{script}}}}}();"}
    for name, shard in shards.items():
        texts[name] = f'!function(){{n.exports="{base64.b64encode(shard).decode()}"}}();'
    with tarfile.open(directory / "package.tgz", "w:gz") as archive:
        for name, text in texts.items():
            member = tarfile.TarInfo(f"package/dist/models/inception_v3/{name}.min.js")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return directory / "package.tgz"


def test_quantized_and_plain_arrays_are_converted(tmp_path):
    kernel, bias = np.arange(864, dtype=np.uint8), np.arange(32, dtype=np.float32)
    code = {"min": -0.5, "scale": 0.25, "dtype": "uint8"}
    kernel_entry = {"name": "conv2d_1/kernel", "shape": [3, 3, 3, 32], "dtype": "float32"}
    bias_entry = {"name": "batch_normalization_1/beta", "shape": [32], "dtype": "float32"}
    package = package_with(
        [(kernel, kernel_entry | {"quantization": code}), (bias, bias_entry)], tmp_path
    )

    convert(package, tmp_path / "w.weights.h5")

    arrays = read_inception_weights(tmp_path / "w.weights.h5").found.arrays
    expected = kernel.astype(np.float32) * 0.25 - 0.5
    found = arrays["stem", "branch0_conv0", "kernel"].value
    np.testing.assert_array_equal(found, expected.reshape(3, 3, 3, 32))
    np.testing.assert_array_equal(arrays["stem", "branch0_conv0", "bias"].value, bias)


@pytest.mark.slow
def test_the_network_computes_the_same_as_in_keras(tmp_path):
    try:
        path = fetch_nsfwjs(tmp_path)
    except UserError as error:
        pytest.skip(str(error))
    weights = read_inception_weights(path, scaling=SCALING)
    with np.load(GOLDEN) as golden:
        for size, number in ((75, 2), (299, 1)):
            images = drawn_images(size, number)
            network = InceptionV3Encoder(size, size, **weights.settings)
            variables = inception_variables(network, weights)
            outputs = jax.jit(network.apply)(variables, images).outputs
            theirs = golden[f"keras/trained/{size}/mixed10"]
            ours = outputs.reshape(*theirs.shape[:3], -1)
            ours = ours if size == 75 else ours[..., ::16]
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * theirs.max())
