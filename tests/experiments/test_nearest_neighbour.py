from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from PIL import Image

from experiments.emoji import nearest_neighbour
from experiments.emoji.nearest_neighbour import (
    caption_scores,
    nearest,
    nearest_neighbour_captions,
)
from seq2seq_jax.captioning.data.decoded_images import DecodedImages
from seq2seq_jax.captioning.models.inception_blocks import convolutions
from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
from seq2seq_jax.utils.errors import UserError
from tests.captioning.data.encoded_images import grey
from tests.golden_makers.drawn_weights import drawn

GOLDEN = Path(__file__).parents[1] / "captioning" / "models" / "inception_v3.npz"
TORCH = {
    "kernel": "conv.weight",
    "scale": "bn.weight",
    "bias": "bn.bias",
    "mean": "bn.running_mean",
    "var": "bn.running_var",
}


def test_the_nearest_row_has_the_smallest_euclidean_distance():
    random = np.random.default_rng(0)
    queries, gallery = random.normal(size=(23, 5)), random.normal(size=(11, 5))
    distances = np.linalg.norm(queries[:, None] - gallery[None], axis=2)
    for chunk_size in (4, 100):
        assert (
            nearest(queries, gallery, chunk_size=chunk_size).tolist()
            == distances.argmin(1).tolist()
        )


def test_each_image_gets_the_caption_of_the_nearest_one():
    gallery = [grey(10, "dark"), grey(200, "light grey"), grey(250, "white", "snow")]
    queries = [grey(20, "dark"), grey(190, "bright grey"), grey(255, "snow", "white")]
    captions = nearest_neighbour_captions(
        DecodedImages(queries, 3, 3), DecodedImages(gallery, 3, 3), gallery
    )
    assert captions == ["dark", "light grey", "white"]
    scores = caption_scores(captions, queries)
    assert scores["sequence_accuracy"] == pytest.approx(200 / 3)
    assert scores["bleu_1"] == pytest.approx(75)
    assert 60 < scores["chrf"] < 100


def test_features_can_be_compared_by_cosine():
    gallery = [grey(10, "dark"), grey(250, "white")]
    images = DecodedImages([grey(9, "a"), grey(251, "b")], 2, 2)
    captions = nearest_neighbour_captions(
        images, DecodedImages(gallery, 2, 2), gallery, cosine=True
    )
    assert captions == ["dark", "dark"]  # greys all point one way


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
    return [f"--train={folder}/train.tsv", f"--test={folder}/test.tsv", f"--images={folder}"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A torchvision weights file that ends after the stem."""
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


def test_pixels_are_compared_without_a_block_and_features_with_one(script, flags, weights):
    for features in ([], [f"--weights={weights}", "--block=stem", "--size=75"]):
        output = script(nearest_neighbour, *flags, *features)
        scores = dict(line.split(maxsplit=1) for line in output.splitlines())
        assert float(scores["sequence_accuracy"]) == 100
        assert float(scores["chrf"]) == 100
        assert "bleu_1_signature" in scores


def test_a_wrong_size_or_block_is_refused(script, flags):
    with pytest.raises(UserError, match=r"^--size: must be at least 75; got 64"):
        script(nearest_neighbour, *flags, "--block=mixed3", "--size=64")
    with pytest.raises(UserError, match=r"^--block: must be one of stem, mixed0, .*; got mixed11"):
        script(nearest_neighbour, *flags, "--block=mixed11")
