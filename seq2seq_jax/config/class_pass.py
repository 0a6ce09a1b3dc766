"""The first pass of resolving: which classes are chosen, and so which keys there are."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from seq2seq_jax.config.classes import (
    built_in_classes,
    class_name,
    class_parameters,
    meets_requirements,
)
from seq2seq_jax.schema.keys import ClassList, ClassName, Key, Params, Table
from seq2seq_jax.schema.names import format_choices, quote_value
from seq2seq_jax.utils.errors import UserError

Flags = dict[str, str]
"""Dotted key -> text of the last flag for it."""


class KeyGroup(dict[str, Any]):
    """The keys of a group by name, each a `Key`, a `ChosenClass` or a group again.

    Attributes:
      owner: The class that has these keys.
      is_readable: False for a former class that cannot be found any more.
    """

    def __init__(self, owner: str, is_readable: bool = True) -> None:
        """Create an empty group."""
        super().__init__()
        self.owner, self.is_readable = owner, is_readable


@dataclasses.dataclass(frozen=True)
class ChosenClass(ClassName):
    """A key that names a class, with the chosen class."""

    name: str = ""


def choose_model(name: object) -> str:
    """Return the name under which a configuration keeps a model.

    Args:
      name: Any name of a model.

    Raises:
      UserError: It is no text.
    """
    return _checked_name("model", name, "model")


def choose_classes(model: str, values: Mapping[str, object], flags: Flags) -> KeyGroup:
    """Choose all classes of a configuration: those of flags, then of the file, then the defaults.

    Args:
      model: The model, as `choose_model` returns it.
      values: What the file wrote; lists of classes have labels.
      flags: All flags. None is taken out.

    Returns:
      All keys of the configuration.

    Raises:
      UserError: A class is unknown, or does not go with the class that uses it.
    """
    return _Chooser(flags).choose(class_parameters("model", model, "model"), values, "", model)


def find_old_keys(model: str, values: Mapping[str, object]) -> KeyGroup:
    """Return all keys that a configuration had before the flags; its classes may be missing now.

    Args:
      model: The model before the flags.
      values: All values of the configuration; lists of classes have labels.
    """
    table = _parameters_or_none("model", model)
    if table is None:
        return KeyGroup(model, is_readable=False)
    return _Chooser(None).choose(table, values, "", model)


def label_classes(model: str, values: dict[str, Any], flags: Flags) -> set[str]:
    """Turn lists of classes (`metrics`, `hooks`, `tasks`) into groups with one label for each.

    Args:
      model: The model that has the lists.
      values: All values of the configuration; its lists are replaced.
      flags: All flags. One for a list has names with commas between them, replaces the list and is
        taken out.

    Returns:
      The keys of the lists.

    Raises:
      UserError: A list has a wrong form, or an unknown class.
    """
    lists = {
        name: entry
        for name, entry in class_parameters("model", model, "model").items()
        if isinstance(entry, ClassList)
    }
    for name, entry in lists.items():
        given = flags.pop(name, values.get(name, entry.default))
        if isinstance(given, str):
            given = [item.strip() for item in given.split(",") if item.strip()]
        if not isinstance(given, Mapping):
            if not isinstance(given, list | tuple):
                raise UserError(name, f"must be a list of class names; got {quote_value(given)}")
            given = _label(entry.slot, given, name)
        values[name] = given
    return set(lists)


class _Chooser:
    def __init__(self, flags: Flags | None) -> None:
        """Choose with flags; None stands for the classes before the flags, which may be missing."""
        self._flags = flags

    def choose(self, table: Table, values: object, where: str, owner: str) -> KeyGroup:
        values = values if isinstance(values, Mapping) else {}
        chosen = KeyGroup(owner)
        for name, entry in table.items():
            key, group = f"{where}{name}", values.get(name, {})
            if isinstance(entry, ClassName):
                chosen[name] = self._choose_class(entry, values, where, name, owner)
            elif isinstance(entry, Params):
                chosen[name] = self._choose_below(chosen[entry.of], entry, group, where, name)
            elif isinstance(entry, ClassList):
                pair = {
                    "class": ClassName(entry.slot, "", entry.meaning),
                    "params": Params("class"),
                }
                pairs: Table = {label: pair for label in group}
                chosen[name] = self.choose(pairs, group, f"{key}.", owner)
            elif isinstance(entry, dict):
                chosen[name] = self.choose(entry, group, f"{key}.", owner)
            else:
                chosen[name] = entry
        return chosen

    def _choose_class(
        self, entry: ClassName, values: Mapping[str, object], where: str, name: str, owner: str
    ) -> ChosenClass:
        key = f"{where}{name}"
        flag = (self._flags or {}).get(key)
        given = values.get(name, entry.default) if flag is None else flag
        chosen = ChosenClass(**vars(entry), name=_checked_name(entry.slot, given, key))
        if self._flags is not None and not _fits(chosen, chosen.name, key):
            in_file = flag is None and name in values
            raise _unfit_class(chosen, key, owner, in_file)
        return chosen

    def _choose_below(
        self, chosen: ChosenClass, entry: Params, values: object, where: str, name: str
    ) -> KeyGroup:
        """Return the keys of the parameters of a chosen class."""
        if self._flags is not None:
            table = class_parameters(chosen.slot, chosen.name, f"{where}{entry.of}")
        else:
            found = _parameters_or_none(chosen.slot, chosen.name)
            if found is None:
                return KeyGroup(chosen.name, is_readable=False)
            table = found
        here = _with_defaults(table, entry.defaults)
        return self.choose(here, values, f"{where}{name}.", chosen.name)


def _checked_name(slot: str, name: object, where: str) -> str:
    if not isinstance(name, str):
        raise UserError(where, f"must be the name of a class; got {quote_value(name)}")
    return class_name(slot, name)


def _parameters_or_none(slot: str, name: str) -> Table | None:
    try:
        return class_parameters(slot, name, "")
    except UserError:
        return None


def _fits(entry: ClassName, name: str, where: str) -> bool:
    return meets_requirements(entry.slot, name, entry.requires, where)


def _unfit_class(chosen: ChosenClass, where: str, owner: str, in_file: bool) -> UserError:
    valid = [name for name in built_in_classes()[chosen.slot] if _fits(chosen, name, where)]
    name = f"{chosen.name}, which the configuration file names," if in_file else chosen.name
    return UserError(where, f"{name} does not go with {owner}; valid: {format_choices(valid)}")


def _with_defaults(table: Table, defaults: Mapping[str, object]) -> Table:
    """Replace the defaults of keys for one place in the configuration."""
    replaced = dict(table)
    for name, default in defaults.items():
        entry = table.get(name)
        if isinstance(entry, Key) and type(entry.default) is type(default):
            replaced[name] = dataclasses.replace(entry, default=default)
    return replaced


def _label(slot: str, items: Iterable[object], where: str) -> dict[str, object]:
    """Label each class with its last name; the second of a name gets `_2` behind it, and so on."""
    labelled: dict[str, object] = {}
    for item in items:
        item = {"class": item} if isinstance(item, str) else item
        if not isinstance(item, Mapping) or "class" not in item:
            what = 'must hold class names or {"class": ..., "params": ...}'
            raise UserError(where, f"{what}; got {quote_value(item)}")
        name = _checked_name(slot, item["class"], where)
        class_parameters(slot, name, where)  # An unknown class is an error here, at the list.
        name = name.split(".")[-1]
        label, count = name, 1
        while label in labelled:
            count += 1
            label = f"{name}_{count}"
        labelled[label] = dict(item)
    return labelled
