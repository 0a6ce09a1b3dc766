"""Every key with every kind of value: it is accepted, or one line names the key."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.config.classes import built_in_classes
from seq2seq_jax.config.overrides import parse
from seq2seq_jax.schema.keys import Key, check_value
from seq2seq_jax.utils.errors import UserError

VALUES = (
    *(math.nan, math.inf, -math.inf, -1, 0, 1e308, 1e-320),
    *(10**400, 10**5000, 2**31, 2**63, 2**64),
    *("", "a\nb", "a\0b", "\udc80", "x" * 5000, b"x"),
    *([1, 2], ["a"], {"a": 1}, (), Path("a"), True, None, 1j, object()),
)
MODELS = ("BasicSeq2Seq", "AttentionSeq2Seq", "Image2Seq")


def text_of(value):
    """The value as it is typed in a flag."""
    if isinstance(value, str):
        return value
    return "9" * 5000 if value == 10**5000 else str(value)


def leaves(group, where: str = "") -> Iterator[tuple[str, object]]:
    for name, value in group.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{where}{name}.")
        else:
            yield f"{where}{name}", value


def refusal(run) -> str:
    """The line with which something is refused; empty if it is accepted."""
    try:
        run()
    except UserError as error:
        line = str(error)
        assert line.isprintable() and len(line) < 2000
        return line
    return ""


def test_every_parameter_of_every_class_accepts_a_value_or_refuses_it_in_one_line():
    for slot, classes in built_in_classes().items():
        for name, schema in classes.items():
            for key, entry in leaves(schema.parameters, f"{slot}.{name}."):
                for value in VALUES if isinstance(entry, Key) else ():
                    for given in (value, parse(entry, text_of(value))):
                        line = refusal(lambda e=entry, k=key, g=given: check_value(k, e, g))
                        assert not line or line.startswith(f"{key}: must be "), line


def test_every_number_has_bounds_that_its_type_can_hold():
    for classes in built_in_classes().values():
        for schema in classes.values():
            for key, entry in leaves(schema.parameters):
                if isinstance(entry, Key) and type(entry.default) in (int, float):
                    beyond = (2**64, -(2**31)) if type(entry.default) is int else (1e308, 1e-320)
                    for value in (math.nan, math.inf, -math.inf, 10**400, *beyond):
                        assert refusal(lambda e=entry, k=key, v=value: check_value(k, e, v)), key


@pytest.mark.parametrize("model", MODELS)
def test_every_key_of_a_model_takes_a_flag_or_refuses_it_in_one_line(model):
    for key, _ in leaves(resolve(default_config(model)).to_dict()):
        for value in VALUES:
            line = refusal(lambda k=key, v=value: resolve(default_config(model), [(k, text_of(v))]))
            assert not line or ": " in line


@pytest.mark.parametrize("model", MODELS)
def test_every_key_of_a_model_takes_a_python_value_or_refuses_it_in_one_line(model):
    for key, _ in leaves(default_config(model).to_dict()):
        *groups, name = key.split(".")
        for value in VALUES:
            config = default_config(model)
            group = config
            for part in groups:
                group = group[part]
            try:
                group[name] = value
            except OverflowError:  # of ml_collections; a config file reports its line
                continue
            line = refusal(lambda config=config: resolve(config))
            assert not line or key.split(".")[0] in line, line


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("decoder.params.rnn_cell.num_layers", "1e308", "a whole number, 1 to 100; got 1e+308"),
        ("embedding.dim", 2**31, "a whole number, 1 to 16384; got 2147483648"),
        ("embedding.init_scale", "1e308", "a number, 0 to 100; got 1e+308"),
        ("batch_size", "1e308", "a whole number, 1 to 65536; got 1e+308"),
        ("seed", 2**64, "a whole number, 0 to 9223372036854775807; got 18446744073709551616"),
        (
            "encoder.params.rnn_cell.dropout_input_keep_prob",
            "1e-320",
            "a number, 0.001 to 1; got 1e-320",
        ),
        (
            "optimizer.lr_stop_decay_at",
            "1e10",
            "a whole number, at least 0, at most 2147483647; got 10000000000.0",
        ),
        ("train_steps", 2**31, "a whole number, at least 1, at most 2147483647; got 2147483648"),
        (
            "keep_checkpoint_every_n_hours",
            10**400,
            "a number, at least 0; got 10000000000000000000...0000000000 (401 characters)",
        ),
        (
            "vocab_source",
            "a\0b",
            r'text, valid Unicode without null characters; got "a\x00b"',
        ),
        ("model", "a\nb", ""),
    ],
)
def test_a_value_beyond_its_bounds_is_refused_at_its_own_key(key, value, message):
    line = refusal(lambda: resolve(default_config("AttentionSeq2Seq"), [(key, str(value))]))
    assert line == f"{key}: must be {message}" or (not message and line.startswith(f"{key}: "))
