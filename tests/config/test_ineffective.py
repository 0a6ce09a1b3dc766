"""Settings that another key switches off are reported, once, and only if somebody wrote them."""

from pathlib import Path

import pytest

from seq2seq_jax.config import default_config, load_config, resolve

RECIPES = sorted((Path(__file__).parents[2] / "configs").glob("*.py"))
CELL = "encoder.params.rnn_cell"


@pytest.fixture
def warnings(caplog):
    """Return a function that resolves a configuration and returns the warnings."""

    def run(*flags, config=None):
        caplog.clear()
        resolve(default_config("AttentionSeq2Seq") if config is None else config, flags)
        return list(caplog.messages)

    return run


@pytest.mark.parametrize(
    ("key", "value", "because"),
    [
        (f"{CELL}.residual_combiner", "concat", f"{CELL}.num_layers is 1"),
        (f"{CELL}.residual_connections", "true", f"{CELL}.num_layers is 1"),
        (
            f"{CELL}.variational_dropout",
            "true",
            f"{CELL}.dropout_input_keep_prob is 1.0 and {CELL}.dropout_output_keep_prob is 1.0",
        ),
        ("optimizer.lr_staircase", "true", "optimizer.lr_decay_type is empty"),
        ("optimizer.lr_decay_rate", "0.5", "optimizer.lr_decay_type is empty"),
        ("optimizer.lr_decay_steps", "7", "optimizer.lr_decay_type is empty"),
        ("optimizer.lr_plateau_factor", "0.1", "optimizer.lr_plateau_patience is 0"),
        ("subwords.size", "99", "subwords.kind is empty"),
        (
            "inference.beam_search.length_penalty_weight",
            "0.6",
            "inference.beam_search.beam_width is 0",
        ),
        ("inference.sampling.seed", "3", "inference.sampling.enable is false"),
    ],
)
def test_a_setting_without_effect_is_reported_with_the_key_that_switches_it_off(
    warnings, key, value, because
):
    message = f"{key}={value} has no effect, because {because}"
    assert warnings((key, value)) == [message]
    assert warnings((key, value)) == []  # once


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {f"{CELL}.num_layers": 2, f"{CELL}.residual_combiner": "concat"},
            f"{CELL}.residual_combiner=concat has no effect, because"
            f" {CELL}.residual_connections is false",
        ),
        (
            {
                f"{CELL}.num_layers": 2,
                f"{CELL}.residual_connections": "true",
                f"{CELL}.residual_combiner": "mean",
            },
            f"{CELL}.residual_combiner=mean has no effect, because {CELL}.residual_dense is false",
        ),
        (
            {"eval_every_n_steps": 0, "early_stopping_patience": 3},
            "early_stopping_patience=3 has no effect, because eval_every_n_steps is 0",
        ),
        (
            {"save_checkpoints_steps": 5, "save_checkpoints_secs": 9},
            "save_checkpoints_secs=9 has no effect, because save_checkpoints_steps is 5",
        ),
        (
            {"subwords.kind": "bpe", "subwords.model_type": "char"},
            "subwords.model_type=char has no effect, because subwords.kind is bpe",
        ),
    ],
)
def test_settings_that_switch_each_other_off_are_reported(warnings, flags, message):
    assert warnings(*[(key, str(value)) for key, value in flags.items()]) == [message]


def test_what_a_file_writes_is_reported(warnings):
    config = default_config("AttentionSeq2Seq")
    config.optimizer.lr_decay_rate = 0.5
    assert warnings(config=config) == [
        "optimizer.lr_decay_rate=0.5 has no effect, because optimizer.lr_decay_type is empty"
    ]


def test_settings_with_an_effect_and_unwritten_ones_are_not_reported(warnings):
    assert warnings() == []
    assert warnings(("optimizer.lr_decay_type", "exponential_decay"), ("seed", "3")) == []
    beam = ("inference.beam_search.beam_width", "2")
    assert warnings(beam, ("inference.beam_search.length_penalty_weight", "0.6")) == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_have_no_settings_without_effect(warnings, path):
    assert warnings(config=load_config(path)) == []
