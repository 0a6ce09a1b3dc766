"""Slots, the names of their classes, and the parameters that each class takes.

A class is named by its short name (`BidirectionalRNNEncoder`), by that name behind our or
google/seq2seq's prefix (`seq2seq.encoders.BidirectionalRNNEncoder`), or, for a class of the user's
own, by the path that imports it. Ours are known here by name alone; only a user's own class and an
optimizer of optax are imported, to read the keywords of their constructors.
"""

import dataclasses
import importlib
import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from seq2seq_jax.config import defaults, registry
from seq2seq_jax.schema.keys import UNSET, Key, Table
from seq2seq_jax.schema.names import describe_unknown, did_you_mean, short_name
from seq2seq_jax.utils.errors import UserError

SLOTS: dict[str, dict[str, Table]] = {
    "model": defaults.MODELS,
    "encoder": defaults.ENCODERS,
    "bridge": defaults.BRIDGES,
    "attention": defaults.ATTENTIONS,
    "decoder": defaults.DECODERS,
    "cell": defaults.CELLS,
    "optimizer": defaults.OPTIMIZERS,
    "pipeline": defaults.PIPELINES,
    "metric": defaults.METRICS,
    "hook": defaults.HOOKS,
    "task": defaults.TASKS,
}


def class_name(slot: str, name: str) -> str:
    """The name under which a class is kept: short for ours, as written for a user's own."""
    short = short_name(name)
    return short if short in SLOTS[slot] else name


def parameters(slot: str, name: str, where: str) -> Table:
    """The table of the parameters of a class.

    Args:
      slot: what the class is for, a key of `SLOTS`.
      name: as `class_name` returns it.
      where: the dotted key that names the class, for errors.

    Raises:
      UserError: the class is unknown, or cannot be imported.
    """
    if name in SLOTS[slot]:
        return SLOTS[slot][name]
    if slot == "optimizer" and "." not in name:
        found = _optax_optimizer(name)
        if found is not None:
            return _keywords(found, name)
    elif slot != "model" and "." in name and short_name(name) == name:
        keywords = _keywords(_import_of_kind(slot, name, where), name)
        return {**defaults.EVERY_PIPELINE, **keywords} if slot == "pipeline" else keywords
    raise _unknown_class(slot, name, where)


def resolve_class(slot: str, name: str, where: str) -> Any:
    """Find the class (for an optimizer, the factory function) that a name stands for.

    Built-in classes are imported only now, from the modules that the registry lists.

    Args:
      slot: What the class is for, a key of `registry.SLOTS`.
      name: A short name, a documented dotted name such as `seq2seq.encoders.PoolingEncoder`, the
        name of an optax optimizer, or the importable path of the user's own class.
      where: The dotted key that names the class, for errors.

    Returns:
      The class or function. An object found by path is of the slot's kind.

    Raises:
      UserError: The name is unknown, or the path cannot be imported or has an object of another
        kind.
    """
    name = class_name(slot, name)
    if name in SLOTS[slot]:
        for module in registry.SLOTS[slot].modules:
            found = getattr(importlib.import_module(module), name, None)
            if found is not None:
                return found
    if slot == "optimizer" and "." not in name:
        found = _optax_optimizer(name)
        if found is not None:
            return found
    elif slot != "model" and "." in name and short_name(name) == name:
        return _import_of_kind(slot, name, where)
    raise _unknown_class(slot, name, where)


def parameters_or_none(slot: str, name: str) -> Table | None:
    """As `parameters`, for a class that will not be built: None if it is unknown."""
    try:
        return parameters(slot, name, "")
    except UserError:
        return None


def import_dotted(path: str, where: str) -> Any:
    """The object at a dotted path such as `my_package.encoders.MyEncoder`.

    Raises:
      UserError: at `where`, if the module cannot be imported, or has nothing of that name that can
        be called.
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
    others = {
        "model": "",
        "optimizer": ", or any optimizer of optax by its own name, or the path of your own",
    }
    what = describe_unknown(slot, name, SLOTS[slot])
    return UserError(where, what + others.get(slot, ", or the path of your own class"))


def _import_of_kind(slot: str, path: str, where: str) -> Any:
    """Import a user's object and check that it is a class, or an optimizer's factory function."""
    found = import_dotted(path, where)
    if slot != "optimizer":
        if not inspect.isclass(found):
            kind = type(found).__name__
            raise UserError(where, f"must be the path of a class; {path} is a {kind}")
        return found
    try:
        keywords = inspect.signature(found).parameters
    except (TypeError, ValueError):
        keywords = MappingProxyType({})
    if "learning_rate" not in keywords:
        raise UserError(
            where, f"must be a function with the keyword learning_rate; {path} has none"
        )
    return found


def _optax_optimizer(name: str) -> Any:
    import optax

    found = getattr(optax, name, None) if name.isidentifier() else None
    if not inspect.isfunction(found):
        return None
    return found if "learning_rate" in inspect.signature(found).parameters else None


def _keywords(found: Any, path: str) -> Table:
    """The keywords of a constructor as a table; `parent` and `name` are flax's, not the user's."""
    table: Table = {}
    factories = {
        item.name: item.default_factory
        for item in (dataclasses.fields(found) if dataclasses.is_dataclass(found) else ())
        if item.default_factory is not dataclasses.MISSING
    }
    for name, parameter in inspect.signature(found).parameters.items():
        kinds = (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if name in ("self", "parent", "name", "learning_rate") or parameter.kind not in kinds:
            continue
        default = factories[name]() if name in factories else parameter.default
        if parameter.annotation in (float, "float") and type(default) is int:
            default = float(default)
        table[name] = _keyword(default, f"Keyword {name} of {path}.")
    return table


def _keyword(default: Any, meaning: str) -> Key | Table:
    if isinstance(default, Mapping) and default:
        return {str(name): _keyword(value, meaning) for name, value in default.items()}
    plain = isinstance(default, bool | int | float | str)
    return Key(default if plain else UNSET, meaning)
