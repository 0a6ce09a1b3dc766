"""From a config file and overrides to a complete, valid configuration."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config import classes, validation
from seq2seq_jax.config.defaults import MODELS
from seq2seq_jax.config.overrides import parse
from seq2seq_jax.schema.keys import ClassList, ClassName, Key, Params, Table, check_value
from seq2seq_jax.schema.names import describe_unknown, format_choices
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)


def default_config(model: str) -> ConfigDict:
    """The defaults of a model, for a config file to begin with.

    `{}` at `*.params` means "no overrides": `resolve` fills in what the class takes. `metrics`,
    `hooks` and `tasks` are lists of class names, or of {"class": NAME, "params": {...}}.

    Args:
      model: `BasicSeq2Seq`, `AttentionSeq2Seq` or `Image2Seq`.
    """
    name = classes.class_name("model", model)
    if name not in MODELS:
        raise UserError("model", describe_unknown("model", name, MODELS))
    # Not type-safe: `resolve` checks types, and names the key where ml_collections would not.
    return ConfigDict({**_defaults(MODELS[name]), "model": name}, type_safe=False)


def resolve(config: ConfigDict, overrides: Iterable[tuple[str, str]] = ()) -> ConfigDict:
    """The complete configuration.

    Classes come first, whatever the order of the overrides; then each `*.params` is filled with the
    defaults of its class. Where an override changes a class, values that are the old class's
    defaults become the new class's, and values that the new class lacks are dropped with a line in
    the log. Metrics, hooks and tasks get labels: `metrics.BleuMetricSpec.params.separator`.

    Args:
      config: what a config file returned, or the result of an earlier `resolve`.
      overrides: pairs (dotted key, text), as `split_overrides` returns them; of two for one key the
        later one counts.

    Returns:
      A configuration with every leaf. Resolving it again changes nothing.

    Raises:
      UserError: at the dotted key that is wrong.
    """
    given = config.to_dict()
    flags: dict[str, str] = {}
    for key, text in overrides:
        flags.pop(key, None)  # Back to the end, where the later one belongs.
        flags[key] = text
    default = "AttentionSeq2Seq"
    written = _class_name("model", given.get("model", default), "model")
    chosen = _class_name("model", flags.get("model", written), "model")
    table = classes.parameters("model", chosen, "model")
    before = table if chosen == written else classes.parameters_or_none("model", written) or {}
    filled = _fill(table, before, given, flags, "", chosen)
    _refuse_unknown_flags(flags, filled)
    validation.check(filled)
    filled["inference"]["max_decode_length"] = validation.decode_length(filled)
    if filled["decoder"]["class"] in classes.SLOTS["decoder"]:
        filled["decoder"]["params"]["max_decode_length"] = 0  # It has gone to inference.
    return ConfigDict(filled)


def _defaults(table: Table) -> dict[str, Any]:
    """The defaults of a table; those of parameters are left to `resolve`."""
    values: dict[str, Any] = {}
    for name, entry in table.items():
        if isinstance(entry, Params):
            values[name] = {}
        elif isinstance(entry, ClassList):
            values[name] = list(entry.default)
        else:
            values[name] = _defaults(entry) if isinstance(entry, dict) else entry.default
    return values


def _fill(
    table: Table,
    before: Table,
    given: Any,
    flags: dict[str, str],
    where: str,
    owner: str,
) -> dict[str, Any]:
    """Values for every key of a table. Takes from `flags` those that it uses.

    Args:
      before: the table for which `given` was written; another one than `table` if an override
        changed the class.
      where: the dotted key of the table and a dot, or nothing.
      owner: the class to which the table belongs.
    """
    changed = before is not table
    if not isinstance(given, Mapping):
        raise UserError(
            where.rstrip("."), f"must hold keys: {format_choices(table)}; got {given!r}"
        )
    given = _without_aliases(table, given, where)
    if changed:
        before_given = _without_aliases(before, given, where)
        kept = {
            name: value
            for name, value in before_given.items()
            if not _is_default(before.get(name), value)
        }
    else:
        before_given, kept = given, given
    for name in kept:
        if name in table:
            continue
        if not changed:
            raise _unknown_key(f"{where}{name}", table, name)
        _log.warning("dropped %s%s: %s has no such key", where, name, owner)

    filled: dict[str, Any] = {}
    written: dict[str, str] = {}
    for name, entry in table.items():
        key = f"{where}{name}"
        if isinstance(entry, Key):
            text = _flag_text(entry, where, name, flags)
            if text is not None:
                filled[name] = check_value(key, entry, parse(entry, text))
            elif name in kept:
                filled[name] = check_value(key, entry, kept[name])
            elif isinstance(entry.default, bool | int | float | str):
                filled[name] = entry.default
        elif isinstance(entry, ClassName):
            old = before.get(name)
            former = old.default if isinstance(old, ClassName) else entry.default
            written[name] = _class_name(entry.slot, before_given.get(name, former), key)
            chosen = flags.pop(key, kept.get(name, entry.default))
            filled[name] = _class_name(entry.slot, chosen, key)
        elif isinstance(entry, Params):
            named = table[entry.of]
            new = _parameters(named.slot, filled[entry.of], entry, f"{where}{entry.of}")
            old_table: Table = new
            if written[entry.of] != filled[entry.of]:
                old_table = classes.parameters_or_none(named.slot, written[entry.of]) or {}
            params = before_given.get(name, {})
            filled[name] = _fill(new, old_table, params, flags, f"{key}.", filled[entry.of])
        elif isinstance(entry, ClassList):
            filled[name] = _fill_list(entry, before_given.get(name, entry.default), flags, key)
        else:
            group = before.get(name)
            group = group if isinstance(group, dict) else {}
            filled[name] = _fill(entry, group, before_given.get(name, {}), flags, f"{key}.", owner)
    return filled


def _fill_list(entry: ClassList, given: Any, flags: dict[str, str], where: str) -> dict[str, Any]:
    """Labelled classes, from a flag (names with commas between them), a list, or labels already."""
    given = flags.pop(where, given)
    if isinstance(given, str):
        given = [name.strip() for name in given.split(",") if name.strip()]
    if not isinstance(given, Mapping):
        if not isinstance(given, list | tuple):
            raise UserError(where, f"must be a list of class names; got {given!r}")
        given = _labelled(entry.slot, given, where)
    pair: Table = {"class": ClassName(entry.slot, "", entry.meaning), "params": Params("class")}
    return {
        label: _fill(pair, pair, value, flags, f"{where}.{label}.", label)
        for label, value in given.items()
    }


def _labelled(slot: str, items: Iterable[Any], where: str) -> dict[str, Any]:
    """Each class under its last name; the second of a name gets `_2` behind it, and so on."""
    labelled: dict[str, Any] = {}
    for item in items:
        item = {"class": item} if isinstance(item, str) else item
        if not isinstance(item, Mapping) or "class" not in item:
            what = f'must hold class names or {{"class": ..., "params": ...}}; got {item!r}'
            raise UserError(where, what)
        name = _class_name(slot, item["class"], where)
        classes.parameters(slot, name, where)  # An unknown class is an error here, at the list.
        name = name.split(".")[-1]
        label, count = name, 1
        while label in labelled:
            count += 1
            label = f"{name}_{count}"
        labelled[label] = dict(item)
    return labelled


def _parameters(slot: str, name: str, params: Params, where: str) -> Table:
    """The table of a class, with the defaults that hold in this one place."""
    table = classes.parameters(slot, name, where)
    if name not in classes.SLOTS[slot] or not params.defaults:
        return table
    here = {key: value for key, value in params.defaults.items() if key in table}
    return {
        key: Key(here[key], entry.meaning, entry.rule, entry.aliases) if key in here else entry
        for key, entry in table.items()
    }


def _class_name(slot: str, name: Any, where: str) -> str:
    if not isinstance(name, str):
        raise UserError(where, f"must be the name of a class; got {name!r}")
    return classes.class_name(slot, name)


def _without_aliases(table: Table, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values under their canonical names."""
    names = {
        alias: name
        for name, entry in table.items()
        if isinstance(entry, Key)
        for alias in entry.aliases
        if alias not in table
    }
    renamed: dict[str, Any] = {}
    for name, value in given.items():
        canonical = names.get(name, name)
        if canonical in renamed:
            alias = next(alias for alias in names if alias in given and names[alias] == canonical)
            raise UserError(f"{where}{alias}", f"is another name of {canonical}; give only one")
        renamed[canonical] = value
    return renamed


def _flag_text(entry: Key, where: str, name: str, flags: dict[str, str]) -> str | None:
    """Takes the flags of a key, under any of its names; the last one counts."""
    spellings = {f"{where}{spelling}" for spelling in (name, *entry.aliases)}
    texts = [flags.pop(key) for key in list(flags) if key in spellings]
    return texts[-1] if texts else None


def _is_default(entry: Any, value: Any) -> bool:
    """Whether a value is what it would be if nothing had been written."""
    if isinstance(entry, Params):
        return value == {}
    if isinstance(entry, ClassName):
        return isinstance(value, str) and classes.class_name(entry.slot, value) == entry.default
    if isinstance(entry, Key):
        return value == entry.default
    if isinstance(entry, dict) and isinstance(value, Mapping):
        return all(_is_default(entry.get(name), part) for name, part in value.items())
    return False


def _refuse_unknown_flags(flags: dict[str, str], filled: dict[str, Any]) -> None:
    """Whatever flag no key has taken is unknown."""
    for flag in flags:
        group: Any = filled
        for part in flag.split("."):
            if not isinstance(group, dict):
                raise UserError(flag, f"unknown key: nothing is below {flag.split(f'.{part}')[0]}")
            if part not in group:
                elsewhere = [key for key in _leaves(filled) if key.endswith(f".{flag}")]
                raise _unknown_key(flag, group, part, elsewhere)
            group = group[part]
        raise UserError(flag, f"is a group; set one of its keys: {format_choices(group)}")


def _leaves(group: dict[str, Any], where: str = "") -> list[str]:
    """The dotted keys of all leaves."""
    keys: list[str] = []
    for name, value in group.items():
        key = f"{where}{name}"
        keys += _leaves(value, f"{key}.") if isinstance(value, dict) else [key]
    return keys


def _unknown_key(
    key: str, valid: Iterable[str], part: str, elsewhere: Iterable[str] = ()
) -> UserError:
    """`part` is the part of the key that is unknown; `elsewhere` are full keys that end in it."""
    found = next(iter(elsewhere), "")
    if found:
        what = f"unknown key {part}, did you mean {found}? valid: {format_choices(valid)}"
        return UserError(key, what)
    return UserError(key, describe_unknown("key", part, valid))
