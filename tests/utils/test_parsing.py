"""JSON and YAML of unknown origin: values, or one line."""

import time

import pytest

from seq2seq_jax.config import load_config, resolve
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.parsing import parse_json, parse_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
LONG = "9" * 5000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, r"f:\d+: has more than 10,000 values, aliases included"),
        ("a: &a [*a]", "f:1: the value of &a contains itself"),
        ("a: &a\n  b: *a\n", "f:2: the value of &a contains itself"),
        ("[" * 3000, "f:1: is nested more than 50 levels deep"),
        ("{a: " * 3000, "f:1: is nested more than 50 levels deep"),
        ("a: !!int x", "f: not YAML: a tag or a number does not fit"),
        ("a: !!float x", "f: not YAML: a tag or a number does not fit"),
        ("a: !!bool x", "f: not YAML: a tag or a number does not fit"),
        ("a: !!timestamp x", "f: not YAML: a tag does not fit"),
        ("a: !!int []", "f:1: not YAML: "),
        ("a: !!python/object/apply:os.system [true]", "f:1: not YAML: could not determine a"),
        ("a: 2026-13-45", "f: not YAML: a tag or a number does not fit"),
        (f"a: {LONG}", "f: not YAML: a tag or a number does not fit"),
        ("a: \x07", r"f:1: not YAML: has the control character U\+0007"),
        ("a: 1\nb: *c", "f:2: not YAML: found undefined alias"),
        ("? [a]\n: 1", "f:1: not YAML: found unhashable key"),
        ("a: 'b", "f:1: not YAML: "),
        ("a: 1\n---\nb: 2", "f:2: not YAML: "),
    ],
)
def test_hostile_yaml_gives_one_line_at_once(text, message):
    started = time.monotonic()
    with pytest.raises(UserError, match=f"^{message}") as refused:
        parse_yaml(text, "f")
    assert "\n" not in str(refused.value) and time.monotonic() - started < 2


def test_a_few_aliases_are_accepted():
    assert parse_yaml("a: &a {b: 1}\nc: *a\nd: [*a, *a]", "f")["d"] == [{"b": 1}, {"b": 1}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 200_000, "f: not usable JSON: it is nested too deeply"),
        ('{"a":' * 200_000, "f: not usable JSON: it is nested too deeply"),
        (LONG, "f: not usable JSON: it has a number with too many digits"),
        (b'"\xff"', "f: not UTF-8"),
        ("{\n1: 2}", "f:2: not JSON: "),
    ],
)
def test_hostile_json_gives_one_line(text, message):
    with pytest.raises(UserError, match=f"^{message}") as refused:
        parse_json(text, "f")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "hooks: 3",
        "hooks: [3]",
        "hooks: [{params: {}}]",
        "metrics: {a: 1}",
        "metrics: {M: {class: 3}}",
        "model: 3",
        "model: [a]",
        "model: {a: b}",
        "model_params: 3",
        "model_params: [a]",
        "1: 2",
        "null: 2",
        "a: {1: 2}",
        "model_params: {2026-01-01: 1}",
        "seed: 2026-01-01",
        "seed: !!binary aGVsbG8=",
        "seed: !!set {a, b}",
        "encoder: 3\nencoder.class: PoolingEncoder",
        "encoder.class: {a: b}",
        "encoder.class: [PoolingEncoder]",
        "encoder.params: 3",
        "optimizer: []",
        "inference: text",
        "input_pipeline_train: 1",
        "batch_size: {a: 1}",
        "- a",
        "3",
        "",
    ],
)
def test_values_of_unexpected_types_give_one_line(tmp_path, text):
    file = tmp_path / "model.yml"
    file.write_text(text)
    with pytest.raises(UserError) as refused:
        resolve(load_config(file))
    assert "\n" not in str(refused.value)


def test_a_huge_file_is_not_parsed(tmp_path):
    file = tmp_path / "model.yml"
    file.write_bytes(b"a: 1\n" * 300_000)
    with pytest.raises(UserError, match="must not be larger than"):
        load_config(file)
