"""The sweep file: a base configuration, the factors that are varied, and seeds."""

import dataclasses
import numbers
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from seq2seq_jax.config import call_python_file, load_config, trusted_names
from seq2seq_jax.config.files import split_argument
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

Level = str | int | float | bool
"""A level of a factor: a value, or the name of several values that belong together."""


@dataclasses.dataclass(frozen=True)
class Range:
    """A range of numbers for a search; whole numbers if both ends are whole.

    Attributes:
      low: The smallest number.
      high: The largest number.
      log: Whether numbers are drawn uniformly on a logarithmic scale.
      keys: The keys that are set to the number. If empty, the factor's name is the key.
    """

    low: float
    high: float
    log: bool = False
    keys: Sequence[str] = ()


Factor = Sequence[Level] | Mapping[str, Mapping[str, object]] | Range


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A sweep, as `get_sweep()` of a sweep file returns it.

    Attributes:
      config: The base configuration, as for `load_config`; relative to the sweep file.
      factors: What is varied. All combinations of the levels are run:
        {"embedding.dim": [128, 256]}              values of one key
        {"cell": {"GRU": {key: value, ...}, ...}}  several keys at once, under the level's name
        {"optimizer.learning_rate": Range(1e-4, 1e-2, log=True)}   for a search
      seeds: The seeds with which each combination is run.
      overrides: Key -> value; changes of the base that all trials share.
      published: Level -> the published result, shown next to ours.
    """

    config: str
    factors: Mapping[str, Factor] = dataclasses.field(default_factory=dict)
    seeds: Sequence[int] = (0,)
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    published: Mapping[str, str] = dataclasses.field(default_factory=dict)


class SweepFile(NamedTuple):
    """A loaded sweep file.

    Attributes:
      path: The path, as it was given.
      name: `cell` for experiments/cell/sweep.py, `cell_paper` for experiments/cell/sweep.py:paper.
      sweep: The sweep.
      base: The base configuration, not resolved.
      overrides: The overrides of the sweep, followed by those of the command line.
      trust_custom_code: Whether data files may name custom classes.
    """

    path: str
    name: str
    sweep: Sweep
    base: ConfigDict
    overrides: list[tuple[str, str]]
    trust_custom_code: bool = False


def load_sweep(path: str, overrides: Overrides = (), trust_custom_code: bool = False) -> SweepFile:
    """Load a sweep file and the base configuration that it names.

    Args:
      path: The sweep file. `FILE:TEXT` calls `get_sweep(TEXT)`.
      overrides: The overrides of the command line.
      trust_custom_code: Whether YAML and JSON files, and workdirs of ensembles, may name classes
        from outside of this package, whose code then runs.

    Raises:
      UserError: A file fails, or the sweep is not valid. The error names the file.
    """
    text, argument = split_argument(path)
    arguments = [] if argument is None else [argument]
    sweep = call_python_file(text, "get_sweep", "sweep file", arguments=arguments)
    if not isinstance(sweep, Sweep):
        raise UserError(path, f"get_sweep() must return a Sweep; got {type(sweep).__name__}")
    _check(path, sweep)
    file = Path(text)
    config_file = os.path.normpath(file.parent / sweep.config)
    base = load_config(config_file, trust_custom_code or trusted_names(overrides))
    parts = [file.resolve().parent.name, "" if file.stem == "sweep" else file.stem, argument]
    name = "_".join(filter(None, parts))
    varied = {
        key: name for name, factor in sweep.factors.items() for key in factor_keys(name, factor)
    }
    everywhere = [(key, format_value(value)) for key, value in sweep.overrides.items()]
    everywhere += overrides
    for key, _ in everywhere:
        if key == "seed" or key in varied:
            what = "seeds sets it" if key == "seed" else f"the factor {varied[key]} sets it"
            raise UserError(key, f"cannot be set for all trials: {what} in {path}")
    return SweepFile(path, name, sweep, base, everywhere, trust_custom_code)


def factor_keys(name: str, factor: Factor) -> list[str]:
    """Return the dotted keys that a factor sets.

    Args:
      name: The factor's name.
      factor: The factor.
    """
    if isinstance(factor, Range):
        return list(factor.keys or [name])
    if isinstance(factor, Mapping):
        return list(dict.fromkeys(key for level in factor.values() for key in level))
    return [name]


def level_overrides(name: str, factor: Factor, level: Level) -> dict[str, object]:
    """Return what a factor sets at a level: key -> value.

    Args:
      name: The factor's name.
      factor: The factor.
      level: The level.
    """
    if isinstance(factor, Mapping):
        return dict(factor[str(level)])
    return {key: level for key in factor_keys(name, factor)}


def level_index(factor: Factor, level: Level) -> int:
    """Return the index of a level among the levels of a factor, which is not a range.

    Args:
      factor: The factor.
      level: The level.
    """
    assert not isinstance(factor, Range)
    return list(factor).index(level)


def format_value(value: object) -> str:
    """Format a value as it is written on the command line.

    Args:
      value: The value.
    """
    if isinstance(value, list | tuple):
        return ",".join(map(format_value, value))
    return str(value)


def _check(path: str, sweep: Sweep) -> None:
    """Check what does not depend on the configuration."""
    for kind in ("factors", "overrides", "published"):
        if not isinstance(getattr(sweep, kind), Mapping):
            raise UserError(path, f"{kind} must be a dict; got {getattr(sweep, kind)!r}")
    seeds = [*sweep.seeds] if isinstance(sweep.seeds, Sequence) else [sweep.seeds]
    whole = all(isinstance(seed, int) and not isinstance(seed, bool) for seed in seeds)
    if not seeds or not whole or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        what = f"seeds must be one or more different whole numbers, at least 0; got {seeds}"
        raise UserError(path, what)
    by_key: dict[str, str] = {}
    for name, factor in sweep.factors.items():
        _check_factor(path, name, factor)
        for key in factor_keys(name, factor):
            if key == "seed":
                raise UserError(path, f"factor {name} sets seed; use seeds=[...]")
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
            raise UserError(path, f"published has {level}, which is not a level of a factor")


def _check_factor(path: str, name: str, factor: object) -> None:
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
        what = f"values must be strings, numbers or booleans; got {list(factor)}"
        raise UserError(path, f"{where}: {what}")
    elif len({str(level) for level in factor}) < len(factor):
        raise UserError(path, f"{where}: a value is repeated in {list(factor)}")
    if not isinstance(factor, Range) and not factor:
        raise UserError(path, f"{where}: has no levels")
