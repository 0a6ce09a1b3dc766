"""A table of a model's parameters by module."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from flax.traverse_util import flatten_dict
from jaxtyping import PyTree


def model_analysis(params: Mapping[str, PyTree]) -> str:
    """Return a table of the parameters: one line each, below its module's total.

    Args:
      params: Nested dictionaries of arrays, or of anything that has a shape.

    Returns:
      The lines of the table; the last one is the sum.

    Example:
      >>> print(model_analysis({"dense": {"bias": np.zeros(2), "kernel": np.zeros((3, 2))}}))
      module or parameter  shape  count    share
      dense                           8  100.0 %
        bias               2          2
        kernel             3 x 2      6
      all parameters                  8
    """
    leaves = flatten_dict(dict(params))  # type: ignore[no-untyped-call, unused-ignore]
    flat = sorted(leaves.items(), key=lambda item: ".".join(item[0]))
    sizes = [(path, tuple(array.shape)) for path, array in flat]
    counts = {path: int(np.prod(shape, dtype=np.int64)) for path, shape in sizes}
    totals: dict[tuple[str, ...], int] = defaultdict(int)
    for path, count in counts.items():
        for depth in range(len(path)):
            totals[path[:depth]] += count

    rows = [("module or parameter", "shape", "count", "share")]
    open_modules: tuple[str, ...] = ()
    for path, shape in sizes:
        *modules, name = path
        for depth in range(1, len(path)):
            if open_modules[:depth] != path[:depth]:
                total = totals[path[:depth]]
                share = f"{100 * total / max(totals[()], 1):.1f} %"
                rows.append(("  " * (depth - 1) + path[depth - 1], "", f"{total:,}", share))
        open_modules = tuple(modules)
        shown = " x ".join(map(str, shape)) or "scalar"
        rows.append(("  " * len(modules) + name, shown, f"{counts[path]:,}", ""))
    rows.append(("all parameters", "", f"{totals[()]:,}", ""))
    a, b, c, d = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(
        f"{name:<{a}}  {shape:<{b}}  {count:>{c}}  {share:>{d}}".rstrip()
        for name, shape, count, share in rows
    )
