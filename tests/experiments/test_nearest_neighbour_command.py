from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from PIL import Image

from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
from seq2seq_jax.captioning.models.inception_v3 import convolutions
from seq2seq_jax.utils.errors import UserError
from tests.golden_makers.drawn_weights import drawn

GOLDEN = Path(__file__).parents[1] / "models" / "inception_v3.npz"
TORCH = {
    "kernel": "conv.weight",
    "scale": "bn.weight",
    "bias": "bn.bias",
    "mean": "bn.running_mean",
    "var": "bn.running_var",
}


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    """Red, green and blue squares to choose from; the same with stripes, to be named."""
    folder = tmp_path_factory.mktemp("squares")
    tables = {"train": "", "test": ""}
    for channel, name in enumerate(("red", "green", "blue")):
        pixels = np.zeros((20, 20, 3), np.uint8)
        pixels[..., channel] = 200
        for split in tables:
            Image.fromarray(pixels).save(folder / f"{split}_{name}.png")
            tables[split] += f"{split}_{name}.png\ta {name} square\n"
            pixels[::4] = 250
    for split, table in tables.items():
        (folder / f"{split}.tsv").write_text(table)
    return [f"--train={folder}/train.tsv", f"--test={folder}/test.tsv", f"--image-dir={folder}"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of torchvision's weights that ends after the stem."""
    numpy = pytest.importorskip("safetensors.numpy")
    encoder = InceptionV3Encoder(75, 75, block="stem", batch_norm_scale=True)
    images = jnp.zeros((1, 75, 75, 3))
    shapes = flatten_dict(jax.eval_shape(encoder.init, jax.random.key(0), images))
    numbers = {names: i for i, names in enumerate(convolutions("stem"))}
    arrays = {}
    with np.load(GOLDEN) as golden:
        names = golden["torch/torchvision/names"]
    for path, shape in shapes.items():
        number, leaf = numbers[path[-3:-1]], path[-1]
        array = drawn(number, leaf, shape.shape)
        array = array.transpose(3, 2, 0, 1) if leaf == "kernel" else array
        arrays[f"{names[number]}.{TORCH[leaf]}"] = np.ascontiguousarray(array)
    file = tmp_path_factory.mktemp("weights") / "stem.safetensors"
    numpy.save_file(arrays, file)
    return file


def test_pixels_are_compared_without_weights_and_features_with_them(command, flags, weights):
    for features in ([], [f"--weights={weights}", "--block=stem", "--size=75"]):
        output, _ = command("nearest_neighbour", *flags, *features)
        scores = dict(line.split(maxsplit=1) for line in output.splitlines())
        assert float(scores["sequence_accuracy"]) == 100
        assert float(scores["chrf"]) == 100
        assert "bleu_1_signature" in scores


def test_sizes_and_blocks_that_there_are_not(command, flags):
    with pytest.raises(UserError, match=r"^--size: must be 75 or more, not 64"):
        command("nearest_neighbour", *flags, "--weights=w.safetensors")
    with pytest.raises(UserError, match=r"^--block: must be one of stem, mixed0, .*; got mixed11"):
        command("nearest_neighbour", *flags, "--block=mixed11")
