"""The list of keys that `--config.help` prints."""

import math
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from seq2seq_jax.config.class_pass import ChosenClass, KeyGroup
from seq2seq_jax.config.classes import built_in_classes
from seq2seq_jax.schema.keys import Key, describe_expected
from seq2seq_jax.schema.names import describe_unknown, format_choices
from seq2seq_jax.utils.errors import UserError


class KeyListing(Exception):  # noqa: N818  # it is no error
    """Raised by `resolve` with the list of keys, if a flag asks for it."""


def list_keys(keys: KeyGroup, values: Mapping[str, object], prefix: str) -> str:
    """Describe the keys of a configuration.

    Args:
      keys: All keys, as `choose_classes` returns them.
      values: Their nested values.
      prefix: The dotted key of a group, or of a single key; empty: all keys.

    Returns:
      Two lines for each key: the key, its value and the allowed values; and the meaning.

    Raises:
      UserError: There is no such key.
    """
    entry: Any = keys
    value: Any = values
    for part in prefix.split(".") if prefix else []:
        if not isinstance(entry, KeyGroup) or part not in entry:
            valid = entry if isinstance(entry, KeyGroup) else ()
            raise UserError(prefix, describe_unknown("key", part, valid))
        entry, value = entry[part], value.get(part)
    return "\n".join(_lines(entry, value, prefix))


def to_yaml(keys: KeyGroup, values: Mapping[str, object]) -> str:
    """Write values as YAML, with the meaning and the allowed values of each key as comments.

    Args:
      keys: All keys, as `choose_classes` returns them.
      values: Their nested values.
    """
    return "\n".join(_yaml_lines(keys, values, ""))


def _yaml_lines(keys: KeyGroup, values: Mapping[str, Any], margin: str) -> Iterator[str]:
    for name, entry in keys.items():
        value = values.get(name)
        if isinstance(entry, KeyGroup):
            yield f"{margin}{name}:" + ("" if entry else " {}")
            yield from _yaml_lines(entry, value or {}, f"{margin}  ")
            continue
        allowed = _allowed(entry)
        text = f"{entry.meaning} ({allowed})" if allowed else entry.meaning
        yield from textwrap.wrap(
            text, 100, initial_indent=f"{margin}# ", subsequent_indent=f"{margin}# "
        )
        yield f"{margin}{name}: {_yaml_value(value)}"


def _yaml_value(value: object) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    text: str = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=math.inf)
    return text.removesuffix("...\n").strip()


def _allowed(entry: ChosenClass | Key) -> str:
    if isinstance(entry, ChosenClass):
        names = format_choices(built_in_classes()[entry.slot])
        return f"one of: {names}, or the path of a custom class"
    return describe_expected(entry)


def _lines(entry: KeyGroup | ChosenClass | Key, value: Any, key: str) -> Iterator[str]:
    if isinstance(entry, KeyGroup):
        for name, below in entry.items():
            yield from _lines(below, value.get(name), f"{key}.{name}" if key else name)
        return
    allowed = _allowed(entry)
    yield f"--config.{key}={'' if value is None else value}" + (f"  ({allowed})" if allowed else "")
    yield f"    {entry.meaning}"
