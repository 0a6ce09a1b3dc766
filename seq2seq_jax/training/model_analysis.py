"""How large a model is: its parameters by module, as a table."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax.traverse_util import flatten_dict

from seq2seq_jax.utils.atomic_io import atomic_replace


class Parameter(NamedTuple):
    """One array: its dotted path, its shape and the number of its elements."""

    path: str
    shape: tuple[int, ...]
    size: int


def parameters_of(params: Mapping[str, Any]) -> list[Parameter]:
    """The arrays of a model, in the order of their paths.

    Args:
      params: nested dictionaries of arrays, or of anything that has a shape.
    """
    flat = flatten_dict(dict(params), sep=".")
    return [
        Parameter(path, tuple(array.shape), int(np.prod(array.shape, dtype=np.int64)))
        for path, array in sorted(flat.items())
    ]


def model_analysis(params: Mapping[str, Any]) -> str:
    """The table as text: a line each parameter, below its module's total; the sum at the end."""
    parameters = parameters_of(params)
    totals: dict[tuple[str, ...], int] = defaultdict(int)
    for parameter in parameters:
        *modules, _ = parameter.path.split(".")
        for depth in range(len(modules) + 1):
            totals[tuple(modules[:depth])] += parameter.size
    whole = totals[()]

    rows: list[tuple[str, str, str, str]] = []
    open_modules: tuple[str, ...] = ()
    for parameter in parameters:
        *modules, name = parameter.path.split(".")
        for depth in range(1, len(modules) + 1):
            module = tuple(modules[:depth])
            if open_modules[:depth] != module:
                indented = "  " * (depth - 1) + module[-1]
                rows.append((indented, "", f"{totals[module]:,}", _percent(totals[module], whole)))
        open_modules = tuple(modules)
        shape = " x ".join(map(str, parameter.shape)) or "scalar"
        rows.append(("  " * len(modules) + name, shape, f"{parameter.size:,}", ""))
    rows.append(("all parameters", "", f"{whole:,}", ""))
    return "\n".join(_aligned([("module or parameter", "shape", "count", "share"), *rows]))


def write_model_analysis(params: Mapping[str, Any], path: str | Path) -> Path:
    """Writes the table to a text file."""
    path = Path(path)
    with atomic_replace(path) as partial:
        partial.write_text(model_analysis(params) + "\n", encoding="utf-8")
    return path


def _percent(count: int, whole: int) -> str:
    return f"{100 * count / max(whole, 1):.1f} %"


def _aligned(rows: list[tuple[str, str, str, str]]) -> list[str]:
    a, b, c, d = (max(map(len, column)) for column in zip(*rows, strict=True))
    return [
        f"{name:<{a}}  {shape:<{b}}  {count:>{c}}  {share:>{d}}".rstrip()
        for name, shape, count, share in rows
    ]
