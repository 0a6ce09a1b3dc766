"""Configurations read and written, and what may differ on resuming."""

import os

import pytest
from ml_collections import ConfigDict

from seq2seq_jax.config import (
    RESUMABLE,
    config_name,
    default_config,
    diff_configs,
    load_config,
    read_config,
    resolve,
    write_config,
)
from seq2seq_jax.utils.errors import UserError


def config_of(*overrides):
    config = default_config("AttentionSeq2Seq")
    config.input_pipeline_train.params = {"builtin": "toy_copy"}
    config.input_pipeline_dev.params = {"builtin": "toy_copy"}
    return resolve(config, overrides)


def load_error(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        load_config(path)
    told = str(raised.value)
    assert "\n" not in told
    return told.removeprefix(f"{path}")


def test_a_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "attention.py").touch()
    with pytest.raises(UserError) as raised:
        load_config(tmp_path / "atention.py")

    assert str(raised.value) == (
        f"{tmp_path}/atention.py: no such config file, did you mean {tmp_path}/attention.py?"
    )


def test_a_file_that_is_not_python(tmp_path):
    (tmp_path / "config.txt").touch()
    message = r"config.txt: a config file is a Python file, NAME.py, or YAML$"
    with pytest.raises(UserError, match=message):
        load_config(tmp_path / "config.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = (\n", ":1: SyntaxError: '(' was never closed"),
        ("\nimport no_such_thing\n", ":2: ModuleNotFoundError: No module named 'no_such_thing'"),
        ("x = 1\n", ": has no function get_config()"),
        ("def get_config():\n  pass\n", ": get_config() must return a ConfigDict; got NoneType"),
        (
            "def get_config():\n  raise ValueError('two\\nlines')\n",
            ":2: ValueError: two lines",
        ),
        (
            "from seq2seq_jax.config import default_config\n"
            "def get_config():\n"
            "  config = default_config('BasicSeq2Seq')\n"
            "  config.nothing.like_it = 3\n",
            ":4: AttributeError: unknown key 'nothing'",
        ),
    ],
)
def test_a_file_that_fails_is_reported_with_the_line(tmp_path, text, message):
    assert load_error(tmp_path, text) == message


RECIPE_WITH_ARGUMENT = """
from seq2seq_jax.config import default_config


def get_config(size="small"):
    config = default_config("BasicSeq2Seq")
    config.embedding.dim = {"small": 8, "large": 64}[size]
    return config
"""


def test_text_after_a_colon_is_the_argument_of_get_config(tmp_path):
    path = tmp_path / "sizes.py"
    path.write_text(RECIPE_WITH_ARGUMENT, encoding="utf-8")

    assert load_config(path).embedding.dim == 8
    assert load_config(f"{path}:large").embedding.dim == 64
    with pytest.raises(UserError, match=r"sizes.py:7: KeyError: 'huge'$"):
        load_config(f"{path}:huge")


def test_a_recipe_builds_on_its_sibling_from_any_working_directory(tmp_path, monkeypatch):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "sizes.py").write_text(RECIPE_WITH_ARGUMENT, encoding="utf-8")
    (tmp_path / "recipes" / "large.py").write_text(
        "from pathlib import Path\n"
        "from seq2seq_jax.config import load_config\n"
        "def get_config():\n"
        "    return load_config(Path(__file__).with_name('sizes.py:large'))\n",
        encoding="utf-8",
    )
    for directory, path in ((tmp_path, "recipes/large.py"), (tmp_path / "recipes", "large.py")):
        monkeypatch.chdir(directory)
        assert load_config(path).embedding.dim == 64


def test_a_wrong_number_of_arguments_is_one_line(tmp_path):
    (tmp_path / "none.py").write_text("def get_config():\n  pass\n", encoding="utf-8")
    (tmp_path / "one.py").write_text("def get_config(size):\n  pass\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"get_config\(\) takes no argument; use .*none.py alone$"):
        load_config(tmp_path / "none.py:large")
    with pytest.raises(
        UserError, match=r"get_config\(\) needs an argument; use .*one.py:ARGUMENT$"
    ):
        load_config(tmp_path / "one.py")


def test_a_run_is_named_after_its_recipe_and_argument():
    assert config_name("configs/nmt.py:large") == "nmt_large"
    assert config_name("configs/g2p.py") == "g2p"
    assert config_name("attention.yml,train.yml") == "attention"
    assert config_name("experiments/emoji/config.py") == "emoji"


def test_an_error_of_the_users_in_a_file_stays_as_it_is(tmp_path):
    (tmp_path / "c.py").write_text(
        "from seq2seq_jax.config import default_config\n"
        "def get_config():\n  return default_config('Seq3')\n",
        encoding="utf-8",
    )
    with pytest.raises(UserError, match=r"^model: unknown model Seq3"):
        load_config(tmp_path / "c.py")


def test_a_relative_path_is_reported_with_the_line_too(tmp_path, monkeypatch):
    (tmp_path / "c.py").write_text("1 / 0\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^c.py:1: ZeroDivisionError: division by zero$"):
        load_config("c.py")


def test_loading_leaves_nothing_behind(tmp_path):
    (tmp_path / "c.py").write_text(
        "from ml_collections import ConfigDict\ndef get_config():\n  return ConfigDict({'a': 1})\n",
        encoding="utf-8",
    )
    assert load_config(tmp_path / "c.py").a == 1
    assert os.listdir(tmp_path) == ["c.py"]


def test_what_is_written_is_read_again(tmp_path):
    config = config_of(("vocab_source", "wörter.txt"))
    write_config(config, tmp_path / "run" / "config.json")
    read = read_config(tmp_path / "run" / "config.json")

    assert read == config
    assert resolve(read) == config
    assert os.listdir(tmp_path / "run") == ["config.json"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "config.json"
    write_config(config_of(), path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_config(config_of(("seed", "1")), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["config.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n"a": 1\n"b"}', ":3: not JSON: "),
        (b"[1]", ": must hold a JSON object"),
        (b'"\xff"', ": not UTF-8"),
    ],
)
def test_a_stored_configuration_that_is_damaged_is_reported(tmp_path, content, message):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as raised:
        read_config(path)
    assert str(raised.value).startswith(f"{path}{message}")


def test_a_missing_stored_configuration_is_reported(tmp_path):
    with pytest.raises(
        UserError, match=r"config\.json: cannot be read: No such file or directory$"
    ):
        read_config(tmp_path / "config.json")


def test_equal_configurations_do_not_differ():
    assert diff_configs(config_of(), config_of()) == []


def test_what_may_not_change_on_resuming_is_named():
    new = config_of(
        ("batch_size", "3"),
        ("encoder.params.rnn_cell.num_layers", "2"),
        ("attention.class", "AttentionLayerDot"),
        ("train_steps", "77"),
    )

    assert diff_configs(config_of(), new) == [
        "attention.class",
        "batch_size",
        "encoder.params.rnn_cell.num_layers",
    ]


def test_keys_that_only_one_configuration_has_are_named():
    assert diff_configs(config_of(), config_of(("optimizer.name", "SGD"))) == [
        "optimizer.name",
        "optimizer.params",
        "optimizer.params.b1",
        "optimizer.params.b2",
        "optimizer.params.eps",
    ]


def test_what_may_change_on_resuming_is_not_named():
    new = config_of(
        ("train_steps", "77"),
        ("eval_every_n_steps", "5"),
        ("save_checkpoints_secs", "5"),
        ("save_checkpoints_steps", "5"),
        ("keep_checkpoint_max", "9"),
        ("keep_checkpoint_every_n_hours", "0.5"),
        ("log_every_n_steps", "5"),
        ("metrics", "BleuMetricSpec"),
        ("best_metric", "bleu"),
        ("inference.beam_search.beam_width", "5"),
        ("input_pipeline_dev.params.builtin", "toy_reverse"),
        ("input_pipeline_train.params.num_epochs", "5"),
    )
    assert diff_configs(config_of(), new) == []


def test_every_resumable_key_exists():
    config = config_of()
    for key in RESUMABLE:
        group = config
        for part in key.split("."):
            group = group[part]


def test_a_key_that_begins_like_a_resumable_one_may_not_change():
    old, new = ConfigDict({"metrics_of_mine": 1}), ConfigDict({"metrics_of_mine": 2})
    assert diff_configs(old, new) == ["metrics_of_mine"]
