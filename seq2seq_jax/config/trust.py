"""Custom classes in data files: a file that is only read must not decide which code runs.

Classes that a user types as a flag or writes in a Python configuration are trusted. A workdir, a
YAML file and a JSON file may come from somebody else, so the names in them are checked before
anything is imported.
"""

import functools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config.classes import TRUSTED_PACKAGES, built_in_classes
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.schema.keys import ClassList, ClassName, Key, Table
from seq2seq_jax.schema.names import OWN_PREFIXES
from seq2seq_jax.schema.rules import SUCCESSORS
from seq2seq_jax.utils.errors import UserError

Trust = bool | Collection[str]
"""Which custom classes a data file may name: True: all, False: none, or those with these names."""


def check_trust(values: Mapping[str, Any], file: str, trust: Trust) -> None:
    """Refuse custom classes and functions that a data file names, before they are imported.

    Args:
      values: The nested values of the file.
      file: The name of the file, for the error.
      trust: Which custom classes the user trusts.

    Raises:
      UserError: The file names another custom class or function.
    """
    if trust is True:
        return
    for key, name in _named_objects(values, ""):
        # Their functions, unlike their classes, are not made to be called by a configuration.
        trusted = OWN_PREFIXES if key.endswith("_fn") else (*TRUSTED_PACKAGES, *OWN_PREFIXES)
        is_custom = "." in name and name.split(".")[0] not in trusted
        if is_custom and name not in (trust or ()):
            raise UserError(
                key,
                f"{file} names the custom class {name}, whose code runs when it is loaded; use"
                " --trust-custom-code (in Python, trust_custom_code=True) if you trust it",
            )


def trusted_names(source: ConfigDict | Overrides) -> frozenset[str]:
    """Return the names of classes that the user chose, as a `Trust` for data files.

    Args:
      source: A configuration whose classes are trusted, or overrides from the command line.
    """
    if isinstance(source, ConfigDict):
        return frozenset(name for _, name in _named_objects(source.to_dict(), ""))
    return frozenset(name.strip() for _, text in source for name in text.split(","))


def _named_objects(value: object, key: str) -> Iterator[tuple[str, str]]:
    """Yield the dotted key and the name of each class or function that values name."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            below = f"{key}.{name}" if key else str(name)
            if _names_an_object(below):
                for text in _texts(part):
                    yield below, text
            yield from _named_objects(part, below)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _named_objects(part, key)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from (name.strip() for name in value.split(","))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def _names_an_object(key: str) -> bool:
    last = key.rpartition(".")[2]
    if last == "name":  # Other classes have parameters of this name.
        return key.endswith("optimizer.name")
    return last in _class_keys() or last.endswith("class")


@functools.cache
def _class_keys() -> frozenset[str]:
    """Return the last names of all keys that name classes or functions."""
    tables = (schema.parameters for of in built_in_classes().values() for schema in of.values())
    return frozenset(name for table in tables for name in _keys_of_objects(table))


def _keys_of_objects(table: Table) -> Iterator[str]:
    for name, entry in table.items():
        if isinstance(entry, dict):
            yield from _keys_of_objects(entry)
        elif isinstance(entry, ClassName | ClassList):
            yield name
        elif isinstance(entry, Key) and entry.rule == SUCCESSORS:
            yield from (name, *entry.aliases)
