"""Classes by name, and the parameters that each class takes.

A class is named by its short name (`BidirectionalRNNEncoder`), by that name behind the prefix of
this package or of google/seq2seq (`seq2seq.encoders.BidirectionalRNNEncoder`), or, for a user's own
class, by the path that imports it. The parameters of built-in classes are read from `schema.json`;
only a user's own class and an optimizer of optax are imported, to read their constructors.
"""

import functools
import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seq2seq_jax.config.registry import SLOTS
from seq2seq_jax.schema.keys import Table
from seq2seq_jax.schema.names import describe_unknown, did_you_mean, short_name
from seq2seq_jax.schema.serialization import table_from_json
from seq2seq_jax.utils.errors import UserError

SCHEMA_FILE = Path(__file__).with_name("schema.json")
"""Written by `python -m seq2seq_jax.config.collect`."""

TRUSTED_PACKAGES = ("seq2seq_jax", "optax", "flax")
"""Packages whose classes any data file may name."""


@dataclass(frozen=True)
class ClassSchema:
    """What the configuration knows of a class without importing it.

    Attributes:
      module: The module that defines the class.
      parameters: The table of its parameters.
      attributes: Class attributes that the places of the class can require.
    """

    module: str
    parameters: Table
    attributes: Mapping[str, object] = field(default_factory=dict)


@functools.cache
def built_in_classes() -> dict[str, dict[str, ClassSchema]]:
    """Return the schemas of all built-in classes: slot -> name -> schema."""
    values = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return {
        slot: {
            name: ClassSchema(
                found["module"], table_from_json(found["parameters"]), found.get("attributes", {})
            )
            for name, found in classes.items()
        }
        for slot, classes in values.items()
    }


def class_name(slot: str, name: str) -> str:
    """Return the name under which a configuration keeps a class.

    Args:
      slot: What the class is for, such as "encoder".
      name: Any name of the class.

    Returns:
      The short name of a built-in class; the path of a user's own class as it is.
    """
    short = short_name(name)
    return short if short in built_in_classes()[slot] else name


def classes_with(name: str, other_than: str) -> list[str]:
    """Return the built-in classes that have a parameter which a class of their kind lacks.

    Args:
      name: The name of the parameter.
      other_than: The class that lacks it.
    """
    of_slots = [known for known in built_in_classes().values() if other_than in known]
    return [
        found for known in of_slots for found, schema in known.items() if name in schema.parameters
    ]


def resolve_class(slot: str, name: str, where: str) -> Any:
    """Find the class (for an optimizer, the factory function) that a name stands for.

    Args:
      slot: What the class is for, such as "encoder".
      name: A short name, a documented dotted name such as `seq2seq.encoders.PoolingEncoder`, the
        name of an optax optimizer, or the importable path of the user's own class.
      where: The dotted key that names the class, for errors.

    Returns:
      The class or function. An object found by path is of the slot's kind.

    Raises:
      UserError: The name is unknown, or the path cannot be imported or has an object of another
        kind.

    Example:
      >>> resolve_class("pipeline", "TSVInputPipeline", "input_pipeline_train.class").__name__
      'TSVInputPipeline'
    """
    name = class_name(slot, name)
    if name in built_in_classes()[slot]:
        return getattr(importlib.import_module(built_in_classes()[slot][name].module), name)
    if "." in name and short_name(name) == name:
        return _import_of_kind(slot, name, where)
    found = _optax_optimizer(name) if slot == "optimizer" else None
    if found is None:
        raise _unknown_class(slot, name, where)
    return found


def class_parameters(slot: str, name: str, where: str) -> Table:
    """Return the parameters of a class.

    Args:
      slot: What the class is for, such as "encoder".
      name: The name of the class, as for `resolve_class`.
      where: The dotted key that names the class, for errors.

    Raises:
      UserError: As `resolve_class`.
    """
    name = class_name(slot, name)
    if name in built_in_classes()[slot]:
        return built_in_classes()[slot][name].parameters
    # Imported here, because built-in classes do not need it.
    from seq2seq_jax.config.collect import class_parameters as read_constructor

    found = resolve_class(slot, name, where)
    try:
        return read_constructor(slot, found)
    except (TypeError, ValueError, AttributeError) as error:
        what = f"the parameters of {name} cannot be read from its constructor: {error}"
        raise UserError(where, what) from error


def meets_requirements(slot: str, name: str, requires: Mapping[str, object], where: str) -> bool:
    """Return whether a class has the attributes that a place in the configuration requires.

    Args:
      slot: What the class is for, such as "encoder".
      name: The name of the class, as for `resolve_class`.
      requires: The attributes and their values. An attribute that the class lacks is ignored.
      where: The dotted key that names the class, for errors.

    Raises:
      UserError: As `resolve_class`.
    """
    if not requires:
        return True
    name = class_name(slot, name)
    if name in built_in_classes()[slot]:
        attributes = built_in_classes()[slot][name].attributes
    else:
        found = resolve_class(slot, name, where)
        attributes = {key: getattr(found, key) for key in requires if hasattr(found, key)}
    return all(attributes.get(key, value) == value for key, value in requires.items())


def import_dotted(path: str, where: str) -> Any:
    """Import the object at a dotted path such as `my_package.encoders.MyEncoder`.

    Args:
      path: The path.
      where: The dotted key that has this value, for errors.

    Returns:
      An object that can be called.

    Raises:
      UserError: The module cannot be imported, or has nothing of that name that can be called.
    """
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # A user's module may fail in any way.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(where, f"cannot import {path}: {reason}") from error
    found = getattr(module, name, None)
    if not callable(found):
        names = [other for other in vars(module) if not other.startswith("_")]
        raise UserError(where, f"{module_name} has no class {name}{did_you_mean(name, names)}")
    return found


def _unknown_class(slot: str, name: str, where: str) -> UserError:
    others = {"optimizer": ", or any optimizer of optax by its name, or the path of a custom one"}
    what = describe_unknown(slot, name, built_in_classes()[slot])
    return UserError(where, what + others.get(slot, ", or the path of a custom class"))


def _import_of_kind(slot: str, path: str, where: str) -> Callable[..., object]:
    """Import a user's object and check that it is a class, or an optimizer's factory function."""
    found: Callable[..., object] = import_dotted(path, where)
    root, defined_in = (name.split(".")[0] for name in (path, getattr(found, "__module__", path)))
    if root in TRUSTED_PACKAGES and defined_in not in TRUSTED_PACKAGES:
        raise UserError(
            where, f"{path} is not defined by {root}; use the path of the module that defines it"
        )
    if slot != "optimizer":
        if not inspect.isclass(found):
            kind = type(found).__name__
            raise UserError(where, f"must be the path of a class; {path} is a {kind}")
        _check_kind(slot, found, path, where)
        return found
    if not _has_learning_rate(found):
        what = f"must be a function with the keyword learning_rate; {path} has none"
        raise UserError(where, what)
    return found


def _check_kind(slot: str, found: type, path: str, where: str) -> None:
    """Raise UserError unless a class has the base class and the members that its slot needs."""
    expected = SLOTS[slot]
    if expected.base and not issubclass(found, import_dotted(expected.base, where)):
        raise UserError(where, f"{path} must derive from {expected.base}")
    defined = {name for parent in found.__mro__ for name in (*vars(parent), *_hints(parent))}
    missing = [name for name in expected.members if name not in defined]
    if missing:
        raise UserError(where, f"{path} is no {slot}: it has no {' and no '.join(missing)}")


def _hints(found: type) -> dict[str, object]:
    return dict(getattr(found, "__annotations__", {}))


def _has_learning_rate(found: Callable[..., object]) -> bool:
    try:
        return "learning_rate" in inspect.signature(found).parameters
    except (TypeError, ValueError):
        return False


def _optax_optimizer(name: str) -> Callable[..., object] | None:
    """Return the optimizer of optax with this name, or None."""
    if not name.isidentifier():
        return None
    import optax

    found = getattr(optax, name, None)
    return found if inspect.isfunction(found) and _has_learning_rate(found) else None
