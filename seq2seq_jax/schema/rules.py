"""Rules for the values of keys. Each is known by its name and arguments, so that it serialises."""

import itertools
import numbers
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from seq2seq_jax.schema.names import format_choices, short_name


def _keep(value: object) -> object:
    return value


@dataclass(frozen=True)
class Rule:
    """A condition on one value.

    Attributes:
      text: The condition in words, for error messages and the reference; empty: no condition.
      accepts: Tells whether a value of the right type satisfies the condition.
      tidy: Converts the accepted spellings of a value to the one that is kept.
      choices: The valid names, if the rule is a choice.
      name: The name under which `make_rule` finds the rule; empty for a user's own rule.
      arguments: The arguments for `make_rule`.
    """

    text: str
    accepts: Callable[[Any], bool] = field(compare=False)
    tidy: Callable[[object], object] = field(default=_keep, compare=False)
    choices: tuple[str, ...] = ()
    name: str = ""
    arguments: tuple[object, ...] = ()


def at_least(least: float) -> Rule:
    """Accept numbers `>= least`."""
    return Rule(
        f"at least {least}", lambda value: value >= least, name="at_least", arguments=(least,)
    )


def above(bound: float, most: float | None = None) -> Rule:
    """Accept numbers `> bound`, and `<= most` if that is given."""
    arguments = (bound,) if most is None else (bound, most)
    return Rule(
        f"above {bound}" if most is None else f"above {bound} and at most {most}",
        lambda value: value > bound and (most is None or value <= most),
        name="above",
        arguments=arguments,
    )


def between(least: float, most: float) -> Rule:
    """Accept numbers from `least` to `most`, both included."""
    return Rule(
        f"{least} to {most}",
        lambda value: least <= value <= most,
        name="between",
        arguments=(least, most),
    )


def one_of(*choices: str) -> Rule:
    """Accept one of the given names."""
    return Rule(
        f"one of: {format_choices(choices)}",
        lambda value: value in choices,
        choices=choices,
        name="one_of",
        arguments=choices,
    )


def function_name(*choices: str) -> Rule:
    """Accept the name of a function; of a dotted name such as `tensorflow.tanh`, the last part."""

    def tidy(value: object) -> object:
        return value.split(".")[-1] if isinstance(value, str) else value

    return Rule(
        f"one of: {format_choices(choices)}",
        lambda value: value in choices,
        tidy,
        choices,
        "function_name",
        choices,
    )


def _join_items(value: object) -> object:
    """Join a list or tuple of texts or numbers with commas, without blanks around the items."""
    if isinstance(value, str):
        value = value.split(",")
    elif isinstance(value, numbers.Integral) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list | tuple):
        return value
    return ",".join(item for item in (str(item).strip() for item in value) if item)


LANGUAGE_PLACEHOLDER = "{language}"
"""Stands for a language in the names of files of a multilingual corpus."""


def split_names(names: str) -> list[str]:
    r"""Split names at the commas between them; a comma after a backslash belongs to its name.

    Args:
      names: The names; blanks around them and empty names do not count.

    Example:
      >>> split_names(r"train.de, part\,1.de")
      ['train.de', 'part,1.de']
    """
    parts = (part.strip().replace("\\,", ",") for part in re.split(r"(?<!\\),", names))
    return [part for part in parts if part]


def _join_names(value: object) -> object:
    """Join a list of names or paths with commas, with a backslash before each comma of a name."""
    items = split_names(value) if isinstance(value, str) else value
    items = [items] if isinstance(items, os.PathLike) else items
    if not isinstance(items, list | tuple):
        return value
    items = [os.fsdecode(item) if isinstance(item, os.PathLike) else item for item in items]
    if not all(isinstance(item, str) for item in items):
        return value
    return ",".join(item.strip().replace(",", "\\,") for item in items if item.strip())


def _is_ascending(value: str) -> bool:
    if not value:
        return True
    shapes = [item.split("x") for item in value.split(",")]
    sizes = [size for shape in shapes for size in shape]
    if not all(size.isdecimal() and len(size) < 10 for size in sizes):
        return False
    widths = [tuple(map(int, shape)) for shape in shapes]
    return (
        len({len(shape) for shape in widths}) == 1
        and len(widths[0]) <= 2
        and all(0 < size <= MAX_LENGTH for shape in widths for size in shape)
        and all(
            smaller != larger and all(a <= b for a, b in zip(smaller, larger, strict=True))
            for smaller, larger in itertools.pairwise(widths)
        )
    )


_WEIGHTS = r"\d{1,3}(\.\d{1,6})?(,\d{1,3}(\.\d{1,6})?)*"
_STAGES = rf"(0:)?{_WEIGHTS}(;\d{{1,6}}:{_WEIGHTS})*"


def _is_multiplier(item: str) -> bool:
    pattern, _, factor = item.rpartition(":")
    return bool(pattern) and re.fullmatch(r"\d{1,4}(\.\d*)?([eE]-?\d{1,2})?", factor) is not None


LARGEST_INT = 2**31 - 1
"""The largest 32-bit integer; whole numbers are at most that, unless their rule says otherwise."""

LARGEST_FLOAT, SMALLEST_FLOAT = 3.4e38, 1.18e-38
"""The largest and the smallest positive magnitude of a normal 32-bit number."""

ANYTHING = Rule("", lambda value: True)
NON_EMPTY = Rule("not empty", bool, name="NON_EMPTY")
FILES = Rule("file names with commas between them", lambda value: True, _join_names, name="FILES")
PATTERNS = Rule(
    "patterns with commas between them", lambda value: True, _join_names, name="PATTERNS"
)
FROZEN = Rule(
    "patterns with commas between them, each with an optional :STEP, as in encoder/*:500",
    lambda value: all(re.fullmatch(r"[^:]+(:[1-9]\d{0,8})?", item) for item in split_names(value)),
    _join_names,
    name="FROZEN",
)
CORPUS_WEIGHTS = Rule(
    "weights with commas between them, from epochs on after semicolons, as in 1,3;5:0,1",
    lambda value: not value or re.fullmatch(_STAGES, value) is not None,
    lambda value: re.sub(r"\s", "", value) if isinstance(value, str) else _join_items(value),
    name="CORPUS_WEIGHTS",
)
MULTIPLIERS = Rule(
    "PATTERN:FACTOR with commas between them, as in encoder/*:0.1",
    lambda value: all(map(_is_multiplier, split_names(value))),
    _join_names,
    name="MULTIPLIERS",
)
BUCKETS = Rule(
    "ascending lengths with commas between them, as in 10,20,30 or 10x12,20x24",
    _is_ascending,
    _join_items,
    name="BUCKETS",
)
CHECKPOINT = Rule(
    "best, latest or the number of a step",
    lambda value: value in ("best", "latest") or value.isdecimal(),
    lambda value: str(value) if isinstance(value, int) else value,
    name="CHECKPOINT",
)
COLUMN = Rule(
    "the name of a column, or its number, from 1",
    bool,
    lambda value: str(value) if type(value) is int else value,
    name="COLUMN",
)
OTHER_COLUMN = Rule(
    "the name of a column, or its number, from 1; empty: none",
    lambda value: True,
    COLUMN.tidy,
    name="OTHER_COLUMN",
)
AVERAGE = Rule(
    "last:K or best:K for some K above 0, or empty",
    lambda value: not value or re.fullmatch(r"(last|best):0*[1-9]\d*", value) is not None,
    name="AVERAGE",
)
SUCCESSORS = Rule(
    "choose_top_k, or the path of a custom function",
    lambda value: value == "choose_top_k" or "." in value.strip("."),
    lambda value: short_name(value) if isinstance(value, str) else value,
    name="SUCCESSORS",
)
PROBABILITY = Rule("above 0 and at most 1", lambda value: 0 < value <= 1, name="PROBABILITY")
WIDTH = between(1, 16_384)
LAYERS = between(1, 100)
WINDOW = between(1, 1000)
BATCH_SIZE = between(1, 65_536)
MAX_LENGTH = 100_000
LENGTH = between(1, MAX_LENGTH)
BEAM_WIDTH = Rule(
    "at most 1000; 1 or less: greedy search", lambda value: value <= 1000, name="BEAM_WIDTH"
)
SEED = between(0, 2**63 - 1)
KEEP_PROBABILITY = between(0.001, 1)
INIT_SCALE = between(0, 100)
FACTOR = between(0, 1000)
FRACTION = Rule("at least 0 and below 1", lambda value: 0 <= value < 1, name="FRACTION")

_FACTORIES: dict[str, Callable[..., Rule]] = {
    factory.__name__: factory for factory in (at_least, above, between, one_of, function_name)
}
_CONSTANTS = {rule.name: rule for rule in list(globals().values()) if isinstance(rule, Rule)}


def make_rule(name: str, *arguments: object) -> Rule:
    """Return the rule with this name and these arguments.

    Example:
      >>> make_rule("at_least", 1) == at_least(1)
      True
    """
    return _FACTORIES[name](*arguments) if name in _FACTORIES else _CONSTANTS[name]
