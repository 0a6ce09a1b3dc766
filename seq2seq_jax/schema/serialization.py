"""Parameter tables as JSON values, so that a program can read them without the classes."""

from collections.abc import Mapping
from typing import Any

from seq2seq_jax.schema.keys import (
    REQUIRED,
    UNSET,
    ClassList,
    ClassName,
    Key,
    NoDefault,
    Params,
    Table,
)
from seq2seq_jax.schema.rules import ANYTHING, make_rule

_NO_DEFAULT = {"unset": UNSET, "required": REQUIRED}


def table_to_json(table: Table) -> dict[str, object]:
    """Convert a parameter table to values that JSON can hold.

    Args:
      table: A table with built-in rules only.

    Returns:
      Nested dictionaries, from which `table_from_json` makes an equal table.
    """
    return {
        name: {"group": table_to_json(entry)} if isinstance(entry, dict) else _to_json(entry)
        for name, entry in table.items()
    }


def table_from_json(values: Mapping[str, Any]) -> Table:
    """Convert the result of `table_to_json` back to a parameter table."""
    return {
        name: table_from_json(entry["group"]) if "group" in entry else _from_json(entry)
        for name, entry in values.items()
    }


def _to_json(entry: Key | ClassName | Params | ClassList) -> dict[str, object]:
    match entry:
        case Key(default, meaning, rule, aliases):
            values: dict[str, object] = {"default": default}
            if isinstance(default, NoDefault):
                values = {"no_default": default.name}
            values["meaning"] = meaning
            if rule != ANYTHING:
                if not rule.name:
                    raise ValueError(f'the rule "{rule.text}" has no name and cannot be stored')
                values["rule"] = [rule.name, *rule.arguments]
            if aliases:
                values["aliases"] = [*aliases]
            return values
        case ClassName(slot, default, meaning, requires):
            values = {"class_of": slot, "default": default, "meaning": meaning}
            return values | ({"requires": dict(requires)} if requires else {})
        case Params(of, defaults):
            return {"params_of": of} | ({"defaults": dict(defaults)} if defaults else {})
        case ClassList(slot, names, meaning):
            return {"classes_of": slot, "default": [*names], "meaning": meaning}


def _from_json(values: Mapping[str, Any]) -> Key | ClassName | Params | ClassList:
    if "class_of" in values:
        return ClassName(
            values["class_of"], values["default"], values["meaning"], values.get("requires", {})
        )
    if "params_of" in values:
        return Params(values["params_of"], values.get("defaults", {}))
    if "classes_of" in values:
        return ClassList(values["classes_of"], tuple(values["default"]), values["meaning"])
    return Key(
        _NO_DEFAULT[values["no_default"]] if "no_default" in values else values["default"],
        values["meaning"],
        make_rule(*values["rule"]) if "rule" in values else ANYTHING,
        tuple(values.get("aliases", ())),
    )
