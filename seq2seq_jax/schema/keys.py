"""What a configuration key is: its default, its meaning and the rule that its value obeys."""

import math
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from seq2seq_jax.schema.names import did_you_mean, listing, short_name
from seq2seq_jax.utils.errors import UserError

# A table maps names to entries: a Key, a ClassName with its Params, a ClassList, or a table again.
Table = dict[str, Any]


class _Unset:
    """The default of a constructor's keyword that has none which a file could hold."""

    def __repr__(self) -> str:
        return "unset"


UNSET = _Unset()


@dataclass(frozen=True)
class Rule:
    """A condition on one value.

    Attributes:
      text: the condition as words, for error messages and the reference; empty: no condition.
      accepts: whether a value of the right type obeys.
      tidy: turns the accepted spellings of a value into the one that is kept.
      choices: the valid names, for a rule that is a choice.
    """

    text: str
    accepts: Callable[[Any], bool]
    tidy: Callable[[Any], Any] = lambda value: value
    choices: tuple[str, ...] = ()


def at_least(least: float) -> Rule:
    return Rule(f"at least {least}", lambda value: value >= least)


def above(bound: float) -> Rule:
    return Rule(f"above {bound}", lambda value: value > bound)


def between(least: float, most: float) -> Rule:
    return Rule(f"{least} to {most}", lambda value: least <= value <= most)


def one_of(*choices: str) -> Rule:
    return Rule(f"one of: {listing(choices)}", lambda value: value in choices, choices=choices)


def function_name(*choices: str) -> Rule:
    """One of our functions. Of a dotted name the last part counts: `tensorflow.tanh` is `tanh`."""

    def tidy(value: Any) -> Any:
        return value.split(".")[-1] if isinstance(value, str) else value

    return Rule(f"one of: {listing(choices)}", lambda value: value in choices, tidy, choices)


def _joined(value: Any) -> Any:
    """A list or tuple of texts or numbers as one string with commas; blanks around items go."""
    if isinstance(value, str):
        value = value.split(",")
    elif isinstance(value, numbers.Integral) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list | tuple):
        return value
    return ",".join(item for item in (str(item).strip() for item in value) if item)


def _ascending(value: str) -> bool:
    if not value:
        return True
    items = value.split(",")
    if not all(item.isdecimal() and int(item) > 0 for item in items):
        return False
    lengths = [int(item) for item in items]
    return lengths == sorted(set(lengths))


ANYTHING = Rule("", lambda value: True)
NON_EMPTY = Rule("not empty", bool)
FILES = Rule("file names with commas between them", lambda value: True, _joined)
BUCKETS = Rule("ascending lengths with commas between them, as in 10,20,30", _ascending, _joined)
CHECKPOINT = Rule(
    "best, latest or the number of a step",
    lambda value: value in ("best", "latest") or value.isdecimal(),
    lambda value: str(value) if isinstance(value, int) else value,
)
COLUMN = Rule(
    "the name of a column, or its number, from 1",
    bool,
    lambda value: str(value) if type(value) is int else value,
)
AVERAGE = Rule(
    "last:K or best:K for some K above 0, or empty",
    lambda value: not value or re.fullmatch(r"(last|best):0*[1-9]\d*", value) is not None,
)
SUCCESSORS = Rule(
    "choose_top_k, or the path of your own function",
    lambda value: value == "choose_top_k" or "." in value.strip("."),
    lambda value: short_name(value) if isinstance(value, str) else value,
)
PROBABILITY = Rule("above 0 and at most 1", lambda value: 0 < value <= 1)
FRACTION = Rule("at least 0 and below 1", lambda value: 0 <= value < 1)


@dataclass(frozen=True)
class Key:
    """One leaf of the configuration. The type of the default is the type of the value."""

    default: Any
    meaning: str
    rule: Rule = ANYTHING
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassName:
    """A leaf that names a class: the parameters beside it (`Params`) are those of that class."""

    slot: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Params:
    """The parameters of the class named by the key `of` beside it.

    `defaults` replaces the class's own defaults in this one place, for the keys that it has.
    """

    of: str
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClassList:
    """Any number of classes of one slot, each under a label with its `class` and `params`."""

    slot: str
    default: tuple[str, ...]
    meaning: str


def slot(name: str, default: str, meaning: str, **defaults: Any) -> Table:
    """The pair `class` and `params`; `defaults` as in `Params`."""
    return {"class": ClassName(name, default, meaning), "params": Params("class", defaults)}


def expected(key: Key) -> str:
    """What would do as a value, as words."""
    if key.rule.choices:
        return key.rule.text
    kind = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return ", ".join(part for part in (kind.get(type(key.default), ""), key.rule.text) if part)


def checked(where: str, key: Key, value: Any) -> Any:
    """The value in the key's type and tidied up.

    Raises:
      UserError: at `where`, if the value is of the wrong type or breaks the rule.
    """
    if key.default is UNSET:
        return tuple(value) if isinstance(value, list) else value
    typed = _typed(key.rule.tidy(value), type(key.default))
    if typed is None or not key.rule.accepts(typed):
        hint = did_you_mean(value, key.rule.choices) if isinstance(value, str) else ""
        shown = f'"{value}"' if isinstance(value, str) else repr(value)
        raise UserError(where, f"must be {expected(key)}; got {shown}{hint}")
    return typed


def _typed(value: Any, kind: type) -> Any:
    """The value as `kind` where nothing is lost by it, otherwise None."""
    if kind in (bool, str):
        return value if isinstance(value, kind) else None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    if kind is int and isinstance(value, numbers.Integral):
        return int(value)
    number = float(value)
    if not math.isfinite(number):
        return None
    if kind is int:
        return int(number) if number.is_integer() else None
    return number
