"""The list of keys that `--config.help` prints."""

from collections.abc import Iterator, Mapping
from typing import Any

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


def _lines(entry: KeyGroup | ChosenClass | Key, value: Any, key: str) -> Iterator[str]:
    if isinstance(entry, KeyGroup):
        for name, below in entry.items():
            yield from _lines(below, value.get(name), f"{key}.{name}" if key else name)
        return
    if isinstance(entry, ChosenClass):
        names = format_choices(built_in_classes()[entry.slot])
        allowed = f"one of: {names}, or the path of a custom class"
    else:
        allowed = describe_expected(entry)
    yield f"--config.{key}={'' if value is None else value}" + (f"  ({allowed})" if allowed else "")
    yield f"    {entry.meaning}"
