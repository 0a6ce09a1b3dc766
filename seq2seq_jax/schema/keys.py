"""The entries of a parameter table: keys with a default, a rule and a meaning, and class slots."""

import math
import numbers
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seq2seq_jax.schema.names import did_you_mean, quote_value
from seq2seq_jax.schema.rules import ANYTHING, LARGEST_FLOAT, LARGEST_INT, SMALLEST_FLOAT, Rule
from seq2seq_jax.utils.errors import UserError

Table = dict[str, Any]
"""Maps names to entries: a `Key`, `ClassName`, `Params`, `ClassList`, or the table of a group."""


class NoDefault:
    """A default that is no value.

    Attributes:
      name: How the default is stored and shown.
    """

    def __init__(self, name: str) -> None:
        """Create a default, which differs from all others."""
        self.name = name

    def __repr__(self) -> str:
        return self.name


UNSET = NoDefault("unset")
"""The default of a keyword whose default is an object that a file cannot hold, such as None."""

REQUIRED = NoDefault("required")
"""The default of a keyword that has none: a file or a flag must set it."""


@dataclass(frozen=True)
class Key:
    """One leaf of the configuration.

    Attributes:
      default: The value if nothing sets the key. Its type is the type of all values, except for
        `UNSET` and `REQUIRED`, which allow values of any type.
      meaning: What the value does, in whole sentences.
      rule: The condition that the value must satisfy.
      aliases: Other names of the key.
    """

    default: object
    meaning: str
    rule: Rule = ANYTHING
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassName:
    """A leaf that names a class; the `Params` next to it holds the parameters of that class.

    Attributes:
      slot: What the class is for, such as "encoder".
      default: The name of the class if nothing sets the key.
      meaning: What the class does here, in whole sentences.
      requires: Class attributes and the values that a class must have in this place.
    """

    slot: str
    default: str
    meaning: str
    requires: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Params:
    """The parameters of the class that the key `of` next to it names.

    Attributes:
      of: The name of the `ClassName` key.
      defaults: Values that replace the defaults of the class in this place, as far as the class
        has these parameters.
    """

    of: str
    defaults: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class ClassList:
    """Any number of classes of one slot, each under a label with its `class` and `params`.

    Attributes:
      slot: What the classes are for, such as "metric".
      default: The names of the classes if nothing sets the key.
      meaning: What the classes do, in whole sentences.
    """

    slot: str
    default: tuple[str, ...]
    meaning: str


def describe_expected(key: Key) -> str:
    """Describe the type and the rule of a key's values, as in `a whole number, at least 1`."""
    if key.rule.choices:
        return key.rule.text
    kind = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return ", ".join(part for part in (kind.get(type(key.default), ""), key.rule.text) if part)


def check_value(where: str, key: Key, value: object) -> object:
    """Convert a value to the key's type and check it against the key's rule.

    Args:
      where: The dotted key, for errors.
      key: The declaration of the key.
      value: A value from a file or from a flag.

    Returns:
      The value in the key's type, in the spelling that the rule keeps.

    Raises:
      UserError: The value has the wrong type or breaks the rule.
    """
    if key.default is UNSET or key.default is REQUIRED:
        typed = _paths_as_text(tuple(value) if isinstance(value, list) else value)
        if typed is None and key.rule == ANYTHING:
            return typed
    else:
        typed = _convert(_paths_as_text(_tidy(key.rule, value)), type(key.default))
    if typed is None or not _accepts(key.rule, typed):
        hint = did_you_mean(value, key.rule.choices) if isinstance(value, str) else ""
        expected = describe_expected(key)
        raise UserError(where, f"must be {expected}; got {quote_value(value)}{hint}")
    limit = _exceeded_limit(typed, key.rule)
    if limit:
        expected = describe_expected(key)
        raise UserError(
            where, f"must be {expected}{', ' * bool(expected)}{limit}; got {quote_value(value)}"
        )
    return typed


def _paths_as_text(value: object) -> object:
    """Return paths, also in lists and tuples, as text; other values as they are."""
    if isinstance(value, list | tuple):
        items = [_paths_as_text(item) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return os.fsdecode(value) if isinstance(value, os.PathLike) else value


def _tidy(rule: Rule, value: object) -> object:
    try:
        return rule.tidy(value)
    except ValueError:  # Python does not write out integers of thousands of digits.
        return None


def _accepts(rule: Rule, value: object) -> bool:
    try:
        return bool(rule.accepts(value))
    except (TypeError, ValueError, OverflowError):  # The rule cannot compare such a value.
        return False


def _exceeded_limit(value: object, rule: Rule) -> str:
    """Return the limit of all values of this type that a value exceeds, or nothing."""
    if isinstance(value, str):
        return "" if _is_unicode(value) else "valid Unicode without null characters"
    if isinstance(value, int) and not isinstance(value, bool) and rule.name != "between":
        bound = f"at most {LARGEST_INT}" if value > 0 else f"at least -{LARGEST_INT}"
        return bound if abs(value) > LARGEST_INT else ""
    if isinstance(value, float) and value and not SMALLEST_FLOAT <= abs(value) <= LARGEST_FLOAT:
        return f"0 or {SMALLEST_FLOAT} to {LARGEST_FLOAT} in magnitude"
    return ""


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # A surrogate stands for a byte that was not UTF-8.
        return False
    return "\0" not in text


def _convert(value: object, kind: type) -> object:
    """Convert a value to `kind` without loss; return None where that is not possible."""
    if kind in (bool, str):
        return value if isinstance(value, kind) else None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    if kind is int and isinstance(value, numbers.Integral):
        return int(value)
    try:
        number = float(value)
    except OverflowError:  # An integer of hundreds of digits.
        return None
    if not math.isfinite(number):
        return None
    if kind is int:
        return int(number) if number.is_integer() else None
    return number
