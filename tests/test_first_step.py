"""Recipes and user-defined classes, from the configuration to a training step."""

from pathlib import Path

import jax
import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.config import load_config, resolve
from seq2seq_jax.models.build import build_model
from seq2seq_jax.storage.metrics_log import read_metrics

ROOT = Path(__file__).parents[1]
# The recipes that read text files; those for other data have separate tests.
CONFIGS = [
    path
    for path in sorted((ROOT / "configs").glob("*.py"))
    if load_config(path).input_pipeline_train["class"] == "ParallelTextInputPipeline"
]

# One step of the models at a size that compiles quickly.
SMALL = {
    "train_steps": 1,
    "eval_every_n_steps": 0,
    "batch_size": 4,
    "embedding.dim": 6,
    "decoder.params.rnn_cell.cell_params.num_units": 6,
}
SMALL_RECURRENT = {"encoder.params.rnn_cell.cell_params.num_units": 6}
SMALL_CONVOLUTIONAL = {
    f"encoder.params.{stack}_cnn.{key}": value
    for stack in ("attention", "output")
    for key, value in (("units", 6), ("layers", 2))
}


@pytest.fixture(autouse=True)
def _compile_quickly():
    """Disable optimizations, because each program runs only a few times."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def own_files(tmp_path):
    """Return overrides that name files with eight short pairs."""
    (tmp_path / "pairs.txt").write_text("a b\nb\nc a\na\n" * 2, encoding="utf-8")
    return {
        f"input_pipeline_{part}.params.{side}_files": tmp_path / "pairs.txt"
        for part in ("train", "dev")
        for side in ("source", "target")
    }


def first_step(config, workdir, overrides):
    """Train for a step; return the line of metrics."""
    flags = [f"--config.{key}={value}" for key, value in overrides.items()]
    assert main(["train", f"--config={config}", f"--workdir={workdir}", *flags]) == 0
    (line,) = read_metrics(workdir)
    return line


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_recipe_trains_for_a_step(path, tmp_path, own_files):
    config = load_config(path)
    convolutional = config.encoder["class"] == "ConvEncoder"
    overrides = SMALL | own_files | (SMALL_CONVOLUTIONAL if convolutional else SMALL_RECURRENT)
    if "attention" in config:
        overrides["attention.params.num_units"] = 6
    line = first_step(path, tmp_path / "run", overrides)
    assert line["step"] == 1
    assert 0 < line["train/loss"] < 10


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_recipe_builds_at_its_full_size(path, own_files):
    overrides = [(key, str(value)) for key, value in own_files.items()]
    model = build_model(resolve(load_config(path), overrides), 20_000, 20_000)
    assert type(model).__name__ in ("BasicSeq2Seq", "AttentionSeq2Seq")


@pytest.mark.parametrize(
    ("path", "positions", "channels"),
    [("configs/image_captioning.py", 64, 2048), ("experiments/emoji/config.py", 25, 768)],
)
def test_recipes_for_images_build_at_their_full_size(path, positions, channels):
    config = resolve(load_config(ROOT / path))
    model = build_model(config, 0, 10_000)
    images, _ = model.dummy_inputs()
    assert images.shape == (1, config.encoder.params.resize_height, images.shape[1], 3)

    def of(images):
        return model.encoder.init_with_output(jax.random.key(0), images, method="grid_features")[0]

    assert jax.eval_shape(of, images).shape == (1, positions, channels)


OWN_CLASSES = """
from flax import linen as nn
from seq2seq_jax.models.encoders import EncoderOutput


class BagOfWords(nn.Module):
    width: int = 4

    @nn.compact
    def __call__(self, inputs, lengths, *, train=False):
        outputs = nn.Dense(self.width)(inputs)
        return EncoderOutput(outputs, outputs.mean(1), outputs, lengths)
"""


def test_a_user_defined_encoder_is_found_by_its_dotted_path(tmp_path, monkeypatch, own_files):
    (tmp_path / "own_encoders.py").write_text(OWN_CLASSES)
    monkeypatch.chdir(tmp_path)
    overrides = SMALL | own_files
    overrides |= {
        "encoder.class": "own_encoders.BagOfWords",
        "encoder.params.width": 5,
        "bridge.class": "InitialStateBridge",
        "attention.params.num_units": 6,
    }
    line = first_step(ROOT / "configs" / "attention.py", tmp_path / "run", overrides)
    assert 0 < line["train/loss"] < 10
