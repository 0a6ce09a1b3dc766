"""The second pass of resolving: the value of each key."""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from seq2seq_jax.config.class_pass import ChosenClass, Flags, KeyGroup
from seq2seq_jax.config.classes import class_name, classes_with
from seq2seq_jax.config.overrides import parse
from seq2seq_jax.schema.keys import REQUIRED, UNSET, ClassName, Key, Table, check_value
from seq2seq_jax.schema.names import describe_unknown, format_choices, quote_value
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)


def keep_written(
    values: Mapping[str, object], keys: KeyGroup, recorded: Collection[str], where: str = ""
) -> dict[str, object]:
    """Return what a configuration wrote: recorded values, and values that are no defaults.

    Args:
      values: All values of the configuration.
      keys: The keys that it had before the flags.
      recorded: Dotted keys that it recorded as written.
      where: The dotted key of `values` and a dot, or nothing.
    """
    kept: dict[str, object] = {}
    for name, value in values.items():
        key, entry = f"{where}{name}", keys.get(name)
        if key in recorded:
            kept[name] = value
        elif isinstance(value, Mapping):
            group = KeyGroup(keys.owner, keys.is_readable)
            group = entry if isinstance(entry, KeyGroup) else group
            below = keep_written(value, group, recorded, f"{key}.")
            if below:
                kept[name] = below
        elif keys.is_readable and not _is_default(entry, value):
            kept[name] = value
    return kept


def fill_values(
    keys: KeyGroup, old: KeyGroup, file: Mapping[str, object], flags: Flags
) -> tuple[dict[str, Any], set[str]]:
    """Give every key its value: that of a flag, else that of the file, else the default.

    Args:
      keys: All keys, as `choose_classes` returns them.
      old: All keys before the flags. What the file wrote for a class that a flag replaced is
        dropped with a line in the log if the new class lacks it.
      file: What the file wrote.
      flags: All flags.

    Returns:
      The nested values, and the dotted keys of those that a file or a flag wrote.

    Raises:
      UserError: A key is unknown, or a value breaks its rule.
    """
    filler = _Filler(old, dict(flags))
    values = filler.fill(keys, file, "")
    _refuse_unknown_flags(filler.flags, keys)
    return values, filler.written


class _Filler:
    def __init__(self, old: KeyGroup, flags: Flags) -> None:
        self.written: set[str] = set()
        self.flags = flags  # Those that no key has used so far.
        self._old = old

    def fill(self, keys: KeyGroup, given: object, where: str) -> dict[str, object]:
        if not isinstance(given, Mapping):
            what = f"must hold keys: {format_choices(keys)}; got {quote_value(given)}"
            raise UserError(where.rstrip("."), what)
        given = _without_aliases(keys, given, where)
        for name in given:
            if name not in keys:
                self._drop(f"{where}{name}", keys, name)
        filled: dict[str, object] = {}
        for name, entry in keys.items():
            key = f"{where}{name}"
            if isinstance(entry, KeyGroup):
                filled[name] = self.fill(entry, given.get(name, {}), f"{key}.")
            elif isinstance(entry, ChosenClass):
                if self.flags.pop(key, None) is not None or name in given:
                    self.written.add(key)
                filled[name] = entry.name
            else:
                value = self._value(entry, given, where, name, keys.owner)
                if value is not UNSET:
                    filled[name] = value
        return filled

    def _value(
        self, entry: Key, given: Mapping[str, object], where: str, name: str, owner: str
    ) -> object:
        """Return the value of one key; `UNSET` if it has none."""
        key = f"{where}{name}"
        text = self._take_flag(entry, where, name)
        if text is not None or name in given:
            self.written.add(key)
            return check_value(key, entry, given[name] if text is None else parse(entry, text))
        if entry.default is REQUIRED:
            raise UserError(key, f"has no value, and {owner} has no default for it; set it")
        return entry.default

    def _take_flag(self, entry: Key, where: str, name: str) -> str | None:
        """Take the flags of a key, under any of its names; the last one counts."""
        spellings = {f"{where}{spelling}" for spelling in (name, *entry.aliases)}
        texts = [self.flags.pop(key) for key in list(self.flags) if key in spellings]
        return texts[-1] if texts else None

    def _drop(self, key: str, keys: KeyGroup, name: str) -> None:
        """Report a key of the file that the class lacks; an error, unless the old class has it."""
        group: object = self._old
        for part in key.split("."):
            if not isinstance(group, KeyGroup) or not group.is_readable:
                break
            group = next(
                (entry for name, entry in group.items() if part in _names(name, entry)), None
            )
        if group is None:
            raise _unknown_key(key, keys, name)
        _log.warning("dropped %s: %s has no such key", key, keys.owner)


def _is_default(entry: object, value: object) -> bool:
    if isinstance(entry, ClassName):
        return isinstance(value, str) and class_name(entry.slot, value) == entry.default
    return isinstance(entry, Key) and bool(value == entry.default)


def _names(name: str, entry: object) -> tuple[str, ...]:
    return (name, *entry.aliases) if isinstance(entry, Key) else (name,)


def _without_aliases(table: Table, given: Mapping[str, object], where: str) -> dict[str, object]:
    """Return the values under their canonical names."""
    names = {
        alias: name
        for name, entry in table.items()
        if isinstance(entry, Key)
        for alias in entry.aliases
        if alias not in table
    }
    renamed: dict[str, object] = {}
    for name, value in given.items():
        canonical = names.get(name, name)
        if canonical in renamed:
            alias = next(alias for alias in names if alias in given and names[alias] == canonical)
            raise UserError(f"{where}{alias}", f"is another name of {canonical}; give only one")
        renamed[canonical] = value
    return renamed


def _refuse_unknown_flags(flags: Flags, keys: KeyGroup) -> None:
    """Raise UserError at a flag that no key has used."""
    for flag in flags:
        group: object = keys
        for part in flag.split("."):
            if not isinstance(group, KeyGroup):
                raise UserError(flag, f"unknown key: nothing is below {flag.split(f'.{part}')[0]}")
            if part not in group:
                raise _unknown_key(flag, group, part, _similar_keys(flag, keys))
            group = group[part]
        valid = group if isinstance(group, KeyGroup) else ()
        raise UserError(flag, f"is a group; set one of its keys: {format_choices(valid)}")


def _similar_keys(flag: str, keys: KeyGroup) -> list[str]:
    """Return the keys that a flag may mean: with the same end, or the same first and last parts."""
    first, last = flag.split(".")[0], flag.split(".")[-1]
    return [
        key
        for key in _leaves(keys)
        if key.endswith(f".{flag}") or (key.startswith(f"{first}.") and key.endswith(f".{last}"))
    ]


def _leaves(group: KeyGroup, where: str = "") -> list[str]:
    """Return the dotted keys of all leaves."""
    keys: list[str] = []
    for name, entry in group.items():
        key = f"{where}{name}"
        keys += _leaves(entry, f"{key}.") if isinstance(entry, KeyGroup) else [key]
    return keys


def _unknown_key(key: str, valid: KeyGroup, part: str, similar: Sequence[str] = ()) -> UserError:
    """Describe an unknown key.

    Args:
      key: The dotted key.
      valid: The keys that are valid at its place.
      part: The part of the key that is unknown.
      similar: Full keys that it may mean.
    """
    if similar:
        what = f"unknown key {part}, did you mean {similar[0]}? valid: {format_choices(valid)}"
        return UserError(key, what)
    owners = format_choices(classes_with(part, valid.owner))
    if owners != "none":
        what = f"unknown key {part}: {valid.owner} has none, only {owners}"
        return UserError(key, f"{what}; valid: {format_choices(valid)}")
    return UserError(key, describe_unknown("key", part, valid))
