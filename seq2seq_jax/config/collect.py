"""Collect the parameters of all built-in classes from their constructors into `schema.json`.

    python -m seq2seq_jax.config.collect

The program reads only that file, so that `--help` and a wrong flag are answered without importing
the classes. A test compares the file with the constructors.
"""

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

from seq2seq_jax.config import registry
from seq2seq_jax.config.classes import SCHEMA_FILE, ClassSchema
from seq2seq_jax.config.run_config import RunConfig
from seq2seq_jax.schema.keys import ClassName, Table
from seq2seq_jax.schema.parameters import collect_parameters
from seq2seq_jax.schema.serialization import table_to_json
from seq2seq_jax.utils.atomic_io import atomic_replace

Schema = dict[str, dict[str, ClassSchema]]
"""Slot -> name of a class -> its schema."""


def collect_schema() -> Schema:
    """Import all built-in classes and read their parameters."""
    classes = {slot: dict(_built_in_classes(slot)) for slot in registry.SLOTS}
    tables = {
        slot: {name: class_parameters(slot, found) for name, found in of_slot.items()}
        for slot, of_slot in classes.items()
    }
    required: dict[str, set[str]] = {slot: set() for slot in registry.SLOTS}
    for of_slot in tables.values():
        for table in of_slot.values():
            for entry in _class_names(table):
                required[entry.slot].update(entry.requires)
    return {
        slot: {
            name: ClassSchema(
                found.__module__,
                tables[slot][name],
                {
                    attribute: getattr(found, attribute)
                    for attribute in sorted(required[slot])
                    if hasattr(found, attribute)
                },
            )
            for name, found in of_slot.items()
        }
        for slot, of_slot in classes.items()
    }


def class_parameters(slot: str, found: Any) -> Table:
    """Read the parameters of one class.

    Args:
      slot: What the class is for, a key of `registry.SLOTS`.
      found: A class, or the factory function of an optimizer.

    Returns:
      The table of its parameters. The table of a model has the keys of the run too.
    """
    if slot == "model":
        groups = {name: _import(path) for name, path in registry.GROUPS.items()}
        return {
            **collect_parameters(RunConfig),
            **{name: collect_parameters(group) for name, group in groups.items()},
            **collect_parameters(found.config_class),
        }
    collector = registry.SLOTS[slot].collector
    if collector:
        table: Table = _import(collector)(found)
        return table
    return collect_parameters(found, registry.SLOTS[slot].supplied)


def schema_text(schema: Schema) -> str:
    """Return the contents of the schema file."""
    values = {
        slot: {
            name: {
                "module": found.module,
                **({"attributes": dict(found.attributes)} if found.attributes else {}),
                "parameters": table_to_json(found.parameters),
            }
            for name, found in of_slot.items()
        }
        for slot, of_slot in schema.items()
    }
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def _built_in_classes(slot: str) -> Iterator[tuple[str, Any]]:
    for module_name in registry.SLOTS[slot].modules:
        module = importlib.import_module(module_name)
        for name, found in vars(module).items():
            own = getattr(found, "__module__", "") == module_name
            kind = inspect.isfunction(found) if slot == "optimizer" else inspect.isclass(found)
            if own and kind and re.fullmatch(registry.SLOTS[slot].pattern, name):
                yield name, found


def _class_names(table: Table) -> Iterator[ClassName]:
    for entry in table.values():
        if isinstance(entry, dict):
            yield from _class_names(entry)
        elif isinstance(entry, ClassName):
            yield entry


def _import(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


if __name__ == "__main__":
    with atomic_replace(SCHEMA_FILE) as partial:
        partial.write_text(schema_text(collect_schema()), encoding="utf-8")
