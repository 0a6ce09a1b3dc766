"""The sweep file: a base configuration, the factors that are varied, and seeds."""

import dataclasses
import numbers
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from seq2seq_jax.config import call_python_file, load_config
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

Level = str | int | float | bool
"""What a factor is set to: a value, or the name of several values that go together."""


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers between which a search draws; whole ones if both ends are.

    Attributes:
      low, high: both may be drawn.
      log: whether each order of magnitude is as likely as the next.
      keys: that are all set to the number; none: the factor's name is the key.
    """

    low: float
    high: float
    log: bool = False
    keys: Sequence[str] = ()


Factor = Sequence[Level] | Mapping[str, Mapping[str, Any]] | Range


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What `get_sweep()` of a sweep file returns.

    Attributes:
      config: the file of the base configuration; its path counts from the sweep file.
      factors: what is varied, each level of the one with each of the others:
        {"embedding.dim": [128, 256]}              values of one key
        {"cell": {"GRU": {key: value, ...}, ...}}  several keys at once, under the level's name
        {"optimizer.learning_rate": Range(1e-4, 1e-2, log=True)}   for a search
      seeds: each trial is done with each.
      overrides: changes of the base, the same in all trials: key -> value.
      published: what others have reported for a level of a factor, to stand beside ours.
    """

    config: str
    factors: Mapping[str, Factor] = dataclasses.field(default_factory=dict)
    seeds: Sequence[int] = (0,)
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    published: Mapping[str, str] = dataclasses.field(default_factory=dict)


class SweepFile(NamedTuple):
    """A sweep with what its file adds to it.

    Attributes:
      name: `cell` for experiments/cell/sweep.py, `cell_paper` for experiments/cell/paper.py.
      base: not resolved.
      overrides: the sweep's and, behind them, those of the command line.
    """

    path: Path
    name: str
    sweep: Sweep
    base: ConfigDict
    overrides: list[tuple[str, str]]


def load_sweep(path: str, overrides: Overrides = ()) -> SweepFile:
    """Reads a sweep file and the base configuration that it names.

    Args:
      overrides: of the command line.

    Raises:
      UserError: at the file that fails; at the sweep file, if what it says makes no sweep.
    """
    sweep = call_python_file(path, "get_sweep", "sweep file")
    if not isinstance(sweep, Sweep):
        raise UserError(path, f"get_sweep() must return a Sweep; got {type(sweep).__name__}")
    _check(path, sweep)
    file = Path(path)
    base = load_config(os.path.normpath(file.parent / sweep.config))
    folder = file.resolve().parent.name
    name = folder if file.stem == "sweep" else f"{folder}_{file.stem}"
    varied = {key: name for name, factor in sweep.factors.items() for key in keys_of(name, factor)}
    everywhere = [(key, as_text(value)) for key, value in sweep.overrides.items()]
    everywhere += overrides
    for key, _ in everywhere:
        if key == "seed" or key in varied:
            what = "seeds says it" if key == "seed" else f"the factor {varied[key]} says it"
            raise UserError(key, f"cannot be set for all trials: {what} in {path}")
    return SweepFile(file, name, sweep, base, everywhere)


def keys_of(name: str, factor: Factor) -> list[str]:
    """The dotted keys that a factor sets."""
    if isinstance(factor, Range):
        return list(factor.keys or [name])
    if isinstance(factor, Mapping):
        return list(dict.fromkeys(key for level in factor.values() for key in level))
    return [name]


def values_at(name: str, factor: Factor, level: Level) -> dict[str, Any]:
    """What a factor sets at a level: key -> value."""
    if isinstance(factor, Mapping):
        return dict(factor[str(level)])
    return {key: level for key in keys_of(name, factor)}


def place_of(factor: Factor, level: Level) -> int:
    """Where the level stands among those of the factor, a list or a dict."""
    assert not isinstance(factor, Range)
    return list(factor).index(level)


def as_text(value: Any) -> str:
    """A value as it would be written on the command line."""
    if isinstance(value, list | tuple):
        return ",".join(map(as_text, value))
    return str(value)


def _check(path: str, sweep: Sweep) -> None:
    """What can be told without the configuration."""
    for kind in ("factors", "overrides", "published"):
        if not isinstance(getattr(sweep, kind), Mapping):
            raise UserError(path, f"{kind} must be a dict; got {getattr(sweep, kind)!r}")
    seeds = [*sweep.seeds] if isinstance(sweep.seeds, Sequence) else [sweep.seeds]
    whole = all(isinstance(seed, int) and not isinstance(seed, bool) for seed in seeds)
    if not seeds or not whole or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        what = f"seeds must be different whole numbers of at least 0, one or more; got {seeds}"
        raise UserError(path, what)
    by_key: dict[str, str] = {}
    for name, factor in sweep.factors.items():
        _check_factor(path, name, factor)
        for key in keys_of(name, factor):
            if key == "seed":
                raise UserError(path, f"factor {name} sets seed; give seeds=[...] for that")
            if key in by_key:
                raise UserError(path, f"factors {by_key[key]} and {name} both set {key}")
            by_key[key] = name
    levels = {
        str(level)
        for factor in sweep.factors.values()
        if not isinstance(factor, Range)
        for level in factor
    }
    for level in sweep.published:
        if level not in levels:
            raise UserError(path, f"published has {level}, which is no level of any factor")


def _check_factor(path: str, name: str, factor: Any) -> None:
    where = f"factor {name}"
    if isinstance(factor, Range):
        real = all(
            isinstance(end, numbers.Real) and not isinstance(end, bool)
            for end in (factor.low, factor.high)
        )
        if not real or not factor.low < factor.high or (factor.log and factor.low <= 0):
            rule = "0 < low < high" if factor.log else "low < high"
            raise UserError(path, f"{where}: a Range needs numbers, {rule}; got {factor}")
    elif isinstance(factor, Mapping):
        for level, values in factor.items():
            if not isinstance(level, str) or not isinstance(values, Mapping):
                what = f"its levels must be NAME: {{key: value}}; got {level!r}: {values!r}"
                raise UserError(path, f"{where}: {what}")
    elif isinstance(factor, str) or not isinstance(factor, Sequence):
        what = f"must be a list of values, a dict of levels, or a Range; got {factor!r}"
        raise UserError(path, f"{where}: {what}")
    elif not all(isinstance(level, Level) for level in factor):
        what = f"values must be texts, numbers or truth values; got {list(factor)}"
        raise UserError(path, f"{where}: {what}")
    elif len({str(level) for level in factor}) < len(factor):
        raise UserError(path, f"{where}: a value comes twice in {list(factor)}")
    if not isinstance(factor, Range) and not factor:
        raise UserError(path, f"{where}: has no levels")
