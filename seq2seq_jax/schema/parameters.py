"""How a class declares its parameters: typed keywords with a default, a rule and a meaning.

    class GRUCell(nn.Module):
        num_units: Annotated[int, at_least(1)] = 128

The constructor states default and rule; the entry of `num_units` in the section Attributes of the
class's docstring (of a function, in the section Args) states its meaning.
No other place states a parameter.
`collect_parameters` reads both into a table, from which flags are checked and the page of
hyperparameters and `--config.help` are written. A class without annotations works too: its
parameters then have the types of their defaults, and no rules.

A field can also be

  a group        its type is a frozen dataclass of further fields: `rnn_cell: RNNCellConfig`
  a class        `cell_class: Annotated[type, ClassOf("cell")] = BasicLSTMCell`, with
                 `cell_params: Annotated[Mapping[str, object], ParamsOf("cell_class")]` next to it
  a slot         `encoder: Annotated[Choice, ClassOf("encoder")] = Choice("MyEncoder")`,
                 which is the pair of keys `encoder.class` and `encoder.params`
  several slots  `metrics: Annotated[tuple[str, ...], ClassOf("metric")] = ("MyMetric",)`
"""

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any

from seq2seq_jax.schema.keys import REQUIRED, UNSET, ClassList, ClassName, Key, Params, Table
from seq2seq_jax.schema.rules import ANYTHING, Rule

ResolveClass = Callable[[str, str, str], Any]
"""Finds a class: (slot, name, dotted key that names it) -> class."""


class ClassOf:
    """Marks a field whose value names a class of `slot` (or several of them).

    Attributes:
      slot: What the class is for, such as "encoder".
      requires: Class attributes and the values that a class must have here. A class that does not
        have the attribute is accepted: `ClassOf("decoder", uses_attention=True)`.
    """

    def __init__(self, slot: str, **requires: object) -> None:
        self.slot, self.requires = slot, requires


@dataclasses.dataclass(frozen=True)
class ParamsOf:
    """Marks a field with the parameters of the class that the field `name` next to it names."""

    name: str


class Aliases(tuple[str, ...]):
    """Marks a field that other names set too: `Aliases(("beta1",))`."""


class Choice:
    """The default of a slot: a class, and values that replace its own defaults in this place."""

    def __init__(self, name: str, **defaults: object) -> None:
        self.name, self.defaults = name, defaults


def collect_parameters(constructor: Any, supplied: Collection[str] = ()) -> Table:
    """Read the parameters of a class or function from its signature.

    Args:
      constructor: A class, a dataclass, a Flax module or a function.
      supplied: Keywords that the program passes itself, such as a decoder's `vocab_size`; they are
        no parameters. Neither are the `parent` and `name` of a Flax module.

    Returns:
      A table from the name of each parameter to its `Key`, `ClassName`, `Params` or `ClassList`, or
      to the table of a group.
    """
    hints, meanings = _type_hints(constructor), _documented(constructor)
    fields = dataclasses.fields(constructor) if dataclasses.is_dataclass(constructor) else ()
    factories = {
        item.name: item.default_factory
        for item in fields
        if item.default_factory is not dataclasses.MISSING
    }
    flax = ("parent", "name") if hasattr(constructor, "apply") else ()
    table: Table = {}
    for name, parameter in inspect.signature(constructor).parameters.items():
        kinds = (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if name in ("self", *flax, *supplied) or parameter.kind not in kinds:
            continue
        default = factories[name]() if name in factories else parameter.default
        meaning = meanings.get(name, f"Keyword {name} of {constructor.__qualname__}.")
        table |= _entry(name, hints.get(name, parameter.annotation), default, meaning)
    return table


def construct(
    constructor: Any,
    values: Mapping[str, Any],
    resolve_class: ResolveClass,
    where: str,
    **supplied: object,
) -> Any:
    """Call a constructor with resolved values: groups become dataclasses, names become classes.

    Args:
      constructor: As in `collect_parameters`.
      values: Resolved values of its parameters, as in `encoder.params`.
      resolve_class: Finds a class from its slot, its name and the dotted key that names it.
      where: The dotted key of `values`, for errors.
      **supplied: Keywords that the program passes itself.

    Returns:
      What the constructor returns.
    """
    hints = _type_hints(constructor)
    keywords: dict[str, object] = {}
    for name, value in values.items():
        kind, *marks = _unpack(hints.get(name))
        class_of = next((mark for mark in marks if isinstance(mark, ClassOf)), None)
        if class_of is not None and isinstance(value, str):
            value = resolve_class(class_of.slot, value, f"{where}.{name}")
        elif _is_group(kind):
            value = construct(kind, value, resolve_class, f"{where}.{name}")
        elif isinstance(value, Mapping):
            value = FrozenMapping(value)
        keywords[name] = value
    return constructor(**keywords, **supplied)


class FrozenMapping(dict[str, object]):
    """A mapping that is hashable, so that a frozen dataclass that holds it is hashable too."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted((key, repr(value)) for key, value in self.items())))


def _type_hints(constructor: object) -> dict[str, object]:
    target = constructor
    if inspect.isclass(constructor) and not dataclasses.is_dataclass(constructor):
        target = constructor.__init__
    try:
        return typing.get_type_hints(target, include_extras=True)
    except Exception:  # A user's annotation may name what is not there at run time.
        return {}


def _documented(constructor: object) -> dict[str, str]:
    """Return the meanings in the sections Args and Attributes of the docstrings, by name."""
    documented = [constructor]
    if inspect.isclass(constructor):
        documented = [*reversed(constructor.__mro__[:-1]), constructor.__init__]
    meanings: dict[str, str] = {}
    for item in documented:
        for section in _SECTION.findall(inspect.cleandoc(item.__doc__ or "")):
            for name, meaning in _ENTRY.findall(section):
                meanings[name] = " ".join(meaning.split())
    return meanings


_SECTION = re.compile(r"^(?:Args|Attributes):\n((?:(?:  .*)?(?:\n|$))+)", re.MULTILINE)
_ENTRY = re.compile(r"^  (\w+): (.*(?:\n    .*)*)", re.MULTILINE)


def _unpack(hint: object) -> tuple[object, ...]:
    """Return the type of an annotation and its marks."""
    return typing.get_args(hint) if typing.get_origin(hint) is Annotated else (hint,)


def _is_group(kind: object) -> bool:
    return inspect.isclass(kind) and dataclasses.is_dataclass(kind) and not hasattr(kind, "apply")


def _group_table(kind: object, default: object) -> Table:
    """Return the table of a group whose default can have other values than its class."""
    table = collect_parameters(kind)
    for name, entry in table.items():
        value = getattr(default, name, None)
        if isinstance(entry, Key) and isinstance(value, type(entry.default)):
            table[name] = dataclasses.replace(entry, default=value)
    return table


def _entry(name: str, hint: object, default: Any, meaning: str) -> Table:
    """Return the table entry of one parameter, or the two entries of a slot's class and params."""
    kind, *marks = _unpack(hint)
    meaning = next((mark for mark in marks if isinstance(mark, str)), meaning)
    class_of = next((mark for mark in marks if isinstance(mark, ClassOf)), None)
    params_of = next((mark for mark in marks if isinstance(mark, ParamsOf)), None)
    if params_of is not None:
        return {name: Params(params_of.name)}
    if class_of is not None:
        if isinstance(default, Choice):
            pair = {
                "class": ClassName(class_of.slot, default.name, meaning, class_of.requires),
                "params": Params("class", default.defaults),
            }
            return {name: pair}
        if isinstance(default, tuple | list):
            return {name: ClassList(class_of.slot, tuple(default), meaning)}
        short = default if isinstance(default, str) else default.__name__
        return {name: ClassName(class_of.slot, short, meaning, class_of.requires)}
    if _is_group(kind):
        return {name: _group_table(kind, default)}
    if isinstance(default, Mapping) and default:
        group: Table = {}
        for key, value in default.items():
            group |= _entry(str(key), inspect.Parameter.empty, value, meaning)
        return {name: group}
    if kind in (float, "float") and type(default) is int:
        default = float(default)
    rule = next((mark for mark in marks if isinstance(mark, Rule)), ANYTHING)
    aliases = next((tuple(mark) for mark in marks if isinstance(mark, Aliases)), ())
    if default is inspect.Parameter.empty:
        default = REQUIRED
    elif not isinstance(default, bool | int | float | str):
        default = UNSET
    return {name: Key(default, meaning, rule, aliases)}
