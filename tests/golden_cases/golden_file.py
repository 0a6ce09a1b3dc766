"""One file of arrays that google/seq2seq computed, and the comparison with ours."""

import json
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np

IMPOSSIBLE = -1e30
"""Scores below are those of masked entries: float32's least number there, minus infinity here."""


class GoldenFile:
    """Arrays by name: `var/...` weights, `in/...` inputs, `out/...` results.

    Attributes:
      kind: what was computed, the name of a class first.
      hparams: with which hyperparameters.
      largest_difference: the largest absolute one among all floats compared so far.
    """

    def __init__(self, path: Path):
        with np.load(path, allow_pickle=False) as arrays:
            self.arrays = dict(arrays)
        self.kind = str(self.arrays["meta/class"])
        self.hparams: dict[str, Any] = json.loads(str(self.arrays["meta/hparams"]))
        self.largest_difference = 0.0

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def under(self, prefix: str) -> dict[str, np.ndarray]:
        """The arrays whose names begin so, by the rest of their names."""
        prefix += "/"
        return {n.removeprefix(prefix): a for n, a in self.arrays.items() if n.startswith(prefix)}

    def variables(self, scope: str = "") -> dict[str, np.ndarray]:
        """The weights, by their names within a scope."""
        return self.under("var/" + scope if scope else "var")

    def leaves(self, prefix: str) -> list[np.ndarray]:
        """The parts of a nested tuple (`prefix/0/c`, `prefix/0/h`, ...) in order, or the one."""
        if prefix in self.arrays:
            return [self.arrays[prefix]]
        parts = self.under(prefix)
        return [parts[name] for name in sorted(parts, key=_natural)]

    def check(self, name: str, ours: Any, where: Any = ..., **tolerance: float) -> None:
        """Asserts that `ours` is the array of that name; with `where`, only the entries there."""
        self.check_close(ours, self.arrays[name], where, message=name, **tolerance)

    def check_tree(self, prefix: str, ours: Any, where: Any = ...) -> None:
        """Asserts that the leaves of `ours` are the parts of the nested tuple of that name."""
        theirs, leaves = self.leaves(prefix), jax.tree.leaves(ours)
        assert len(leaves) == len(theirs), prefix
        for i, (leaf, array) in enumerate(zip(leaves, theirs, strict=True)):
            self.check_close(leaf, array, where, message=f"{prefix}, part {i}")

    def check_close(
        self,
        ours: Any,
        theirs: Any,
        where: Any = ...,
        *,
        message: str,
        atol: float = 1e-5,
        rtol: float = 1e-6,
    ) -> None:
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        assert ours.shape == theirs.shape, f"{message}: {ours.shape}, not {theirs.shape}"
        ours, theirs = ours[where], theirs[where]
        if theirs.dtype.kind != "f":
            np.testing.assert_array_equal(ours, theirs, message)
            return
        impossible = theirs < IMPOSSIBLE
        np.testing.assert_array_equal(ours < IMPOSSIBLE, impossible, message)
        ours, theirs = ours[~impossible], theirs[~impossible]
        if ours.size:
            largest = float(np.max(np.abs(ours - theirs)))
            self.largest_difference = max(self.largest_difference, largest)
        np.testing.assert_allclose(ours, theirs, atol=atol, rtol=rtol, err_msg=message)


def _natural(name: str) -> list[Any]:
    """Sorts 2 before 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split("/", name)]
