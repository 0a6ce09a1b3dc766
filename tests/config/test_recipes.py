"""The recipes in configs/: each resolves, and is what its docstring says."""

from pathlib import Path

import pytest

from seq2seq_jax.config import check_training, load_config, resolve
from seq2seq_jax.sweeps.definition import load_sweep
from seq2seq_jax.utils.errors import UserError

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = [
    ("input_pipeline_train.params.source_files", "a"),
    ("input_pipeline_train.params.target_files", "b"),
    ("input_pipeline_dev.params.source_files", "c"),
    ("input_pipeline_dev.params.target_files", "d"),
]


def recipe(name, overrides=(), argument=None):
    file = f"{name}.py" if argument is None else f"{name}.py:{argument}"
    return resolve(load_config(CONFIGS / file), overrides)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.py")), ids=lambda path: path.stem)
def test_every_recipe_resolves_on_its_data_and_says_its_command(path):
    config = load_config(path)
    reads_files = config.input_pipeline_train["class"] == "ParallelTextInputPipeline"
    once = resolve(config, FILES if reads_files else ())

    assert resolve(once) == once
    assert f"--config=configs/{path.name}" in path.read_text(encoding="utf-8")


def test_the_published_names_of_translation_recipes_are_sizes_of_one_recipe():
    for size in ("small", "medium", "large"):
        assert recipe(f"nmt_{size}") == recipe("nmt", argument=size)
    assert recipe("nmt_conv").embedding.dim == 512
    assert recipe("nmt_conv", argument="small").embedding.dim == 256


@pytest.mark.parametrize("name", ["basic", "attention", "toy_copy", "toy_reverse", "g2p", "tiny"])
def test_recipes_with_built_in_data_need_no_files(name):
    config = recipe(name)

    train, dev = config.input_pipeline_train.params, config.input_pipeline_dev.params
    assert train.builtin == dev.builtin != ""
    assert (train.split, dev.split) == ("train", "dev")
    assert (train.shuffle, dev.shuffle) == (True, False)


@pytest.mark.parametrize(
    ("name", "attention", "cell", "units", "layers"),
    [
        ("nmt_small", "AttentionLayerDot", "GRUCell", 128, (1, 1)),
        ("nmt_medium", "AttentionLayerBahdanau", "GRUCell", 256, (1, 2)),
        ("nmt_large", "AttentionLayerBahdanau", "LSTMCell", 512, (2, 4)),
    ],
)
def test_translation_recipes_are_the_published_ones(name, attention, cell, units, layers):
    config = recipe(name, FILES)
    cells = [config[part].params.rnn_cell for part in ("encoder", "decoder")]

    assert (config.attention["class"], config.attention.params.num_units) == (attention, units)
    assert [one.cell_class for one in cells] == [cell, cell]
    assert [one.cell_params.num_units for one in cells] == [units, units]
    assert tuple(one.num_layers for one in cells) == layers
    assert [one.dropout_input_keep_prob for one in cells] == [0.8, 0.8]
    assert (config.bridge["class"], config.embedding.dim) == ("ZeroBridge", units)
    assert (config.optimizer.params.eps, config.optimizer.learning_rate) == (8e-7, 1e-4)
    assert not config.source.reverse


@pytest.mark.parametrize("name", ["nmt_small", "nmt_medium", "nmt_large", "nmt_conv"])
def test_translation_recipes_ask_for_files(name):
    with pytest.raises(UserError, match=r"^input_pipeline_train.params.source_files: is empty"):
        check_training(recipe(name))


@pytest.mark.parametrize("name", ["toy_copy", "toy_reverse"])
def test_toy_recipes_are_the_small_translation_model_with_a_higher_rate(name):
    small, toy = recipe("nmt_small", FILES), recipe(name, FILES)

    for part in ("encoder", "decoder", "attention", "bridge", "source", "target", "embedding"):
        assert toy[part] == small[part]
    assert (toy.optimizer.learning_rate, toy.batch_size, toy.train_steps) == (1e-3, 32, 1000)


def test_the_recipe_of_languages_is_one_for_many_models_or_one_model():
    several, one = (recipe("languages", argument=names) for names in ("dut,ice", "dut"))

    assert several.input_pipeline_train.params.languages == "dut,ice"
    assert several.best_metric == "language/macro/sequence_error_rate"
    assert one.input_pipeline_train.params.files == "data/languages/dut_train.tsv"
    assert one.input_pipeline_dev.params.files == "data/languages/dut_dev.tsv"
    assert one.best_metric == "sequence_error_rate"
    assert one.input_pipeline_train.params.language_temperature == 1


def test_the_sweep_of_languages_trains_a_model_of_each():
    file = load_sweep(f"{CONFIGS / 'languages.py'}:dut,ice")

    factor = file.sweep.factors["language"]
    assert list(factor) == ["dut", "ice"]
    assert factor["ice"]["input_pipeline_dev.params.files"] == "data/languages/ice_dev.tsv"
    assert resolve(file.base).input_pipeline_train.params.files.endswith("dut_train.tsv")
