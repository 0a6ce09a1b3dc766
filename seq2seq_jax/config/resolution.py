"""From a config file and overrides to a complete, valid configuration.

Resolving takes two passes. The first chooses all classes: a flag counts before the file, the file
before the default. It results in one table of all keys. The second gives each key its value, in the
same order. A key counts as set if a file or a flag wrote it, even with the default's value.
"""

from collections.abc import Iterable, Mapping, Set
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config import validation
from seq2seq_jax.config.class_pass import (
    Flags,
    KeyGroup,
    choose_classes,
    choose_model,
    find_old_keys,
    label_classes,
)
from seq2seq_jax.config.classes import class_parameters
from seq2seq_jax.config.dev_settings import follow_training_set
from seq2seq_jax.config.ineffective import settings_without_effect, warn_once
from seq2seq_jax.config.key_listing import KeyListing, list_keys, to_yaml
from seq2seq_jax.config.overrides import HELP
from seq2seq_jax.config.run_config import RunConfig
from seq2seq_jax.config.value_pass import fill_values, keep_written
from seq2seq_jax.config.written import WrittenConfig, written_keys
from seq2seq_jax.schema.keys import ClassList, Params, Table


def default_config(model: str) -> ConfigDict:
    """Return the defaults of a model, for a config file to begin with.

    `{}` at `*.params` means "no overrides": `resolve` fills in what the class takes. `metrics`,
    `hooks` and `tasks` are lists of class names, or of {"class": NAME, "params": {...}}.

    Args:
      model: `BasicSeq2Seq`, `AttentionSeq2Seq`, `Image2Seq`, or the path of a custom class.

    Returns:
      A configuration that remembers what the file assigns to it.

    Raises:
      UserError: The model is unknown.

    Example:
      >>> config = default_config("AttentionSeq2Seq")
      >>> config.optimizer.learning_rate = 1e-3
      >>> resolve(config).encoder.params.rnn_cell.num_layers
      1
    """
    name = choose_model(model)
    values = {**_defaults(class_parameters("model", name, "model")), "model": name}
    # Not type-safe: `resolve` checks types, and names the key where ml_collections would not.
    return WrittenConfig.of(values, lambda key: key == "model", type_safe=False)


def resolve(config: ConfigDict, overrides: Iterable[tuple[str, str]] = ()) -> ConfigDict:
    """Complete a configuration and check it.

    Settings that a file or a flag writes and that another key switches off are reported once.
    Where an override changes a class, values that the file wrote for the old class and that the new
    class lacks are dropped with a line in the log. Metrics, hooks and tasks get labels:
    `metrics.BleuMetricSpec.params.separator`.

    Args:
      config: What a config file returned, or the result of an earlier `resolve`.
      overrides: Pairs (dotted key, text), as `split_overrides` returns them; of two for one key the
        later one counts.

    Returns:
      A configuration with every leaf. Resolving it again changes nothing.

    Raises:
      UserError: At the dotted key that is wrong.
      KeyListing: An override asks for a list of keys: `help`, or `encoder.params.help`.
    """
    _, filled, written = _resolve(config, overrides)
    return WrittenConfig.of(filled, written.__contains__)


def explain(config: ConfigDict, overrides: Iterable[tuple[str, str]] = ()) -> str:
    r"""Return a resolved configuration as YAML, with the meaning of each key as a comment.

    Args:
      config: As for `resolve`.
      overrides: As for `resolve`.

    Raises:
      UserError: As for `resolve`.
      KeyListing: As for `resolve`.

    Example:
      >>> explain(default_config("AttentionSeq2Seq"), [("seed", "7")]).count("\nseed: 7\n")
      1
    """
    keys, filled, _ = _resolve(config, overrides)
    return to_yaml(keys, filled)


def _resolve(
    config: ConfigDict, overrides: Iterable[tuple[str, str]]
) -> tuple[KeyGroup, dict[str, Any], Set[str]]:
    """Return all keys, the nested values, and the dotted keys that a file or a flag wrote."""
    flags: Flags = {}
    for key, text in overrides:
        flags.pop(key, None)  # Back to the end, where the later one belongs.
        flags[key] = text
    values = config.to_dict()
    old_model = choose_model(values.get("model", RunConfig.model))
    model = choose_model(flags.get("model", old_model))
    lists = label_classes(model, values, flags)
    old_keys = find_old_keys(old_model, values)
    # No class changes the defaults of lists, so they can count as written in any case.
    file = keep_written(values, old_keys, written_keys(config) | lists)
    follow_training_set(file, flags)
    keys = choose_classes(model, file, flags)
    groups = [key.removesuffix(HELP).rstrip(".") for key in flags if key.split(".")[-1] == HELP]
    others = {key: text for key, text in flags.items() if key.split(".")[-1] != HELP}
    filled, written = fill_values(keys, old_keys, file, others)
    if groups:
        raise KeyListing("\n".join(list_keys(keys, filled, group) for group in groups))
    validation.check(filled, written)
    for message in settings_without_effect(filled, written_keys(config) | set(others)):
        warn_once(message)
    return keys, filled, written


def restore(values: Mapping[str, object]) -> ConfigDict:
    """Make a configuration from the values of a resolved one, for instance from a JSON file.

    Values that equal the defaults do not count as written.

    Args:
      values: The nested values; the value of a group is a mapping.
    """
    return WrittenConfig.of(values)


def _defaults(table: Table) -> dict[str, object]:
    """Return the defaults of a table; those of parameters are left to `resolve`."""
    values: dict[str, object] = {}
    for name, entry in table.items():
        if isinstance(entry, Params):
            values[name] = {}
        elif isinstance(entry, ClassList):
            values[name] = list(entry.default)
        else:
            values[name] = _defaults(entry) if isinstance(entry, dict) else entry.default
    return values
