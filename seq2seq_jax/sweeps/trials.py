"""Trials, and the trainings that they need.

Factors whose keys begin with `inference` do not affect training. Trials that differ only in them
share one training, and each evaluates it with its own search. The training itself, its evaluations
and the choice of its best checkpoint use the base configuration.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ml_collections import ConfigDict

from seq2seq_jax.config import check_training, resolve
from seq2seq_jax.sweeps.definition import (
    Factor,
    Level,
    Range,
    SweepFile,
    factor_keys,
    format_value,
    level_overrides,
)
from seq2seq_jax.utils.errors import UserError

Point = Mapping[str, Level]
"""Factor -> level."""

_INFERENCE = "inference."
_DRAWN = "trial="


class Trial(NamedTuple):
    """An evaluation of a training.

    Attributes:
      name: The name, which is a file name and unique in the sweep.
      levels: Factor -> level.
      seed: The seed.
      overrides: Key -> value, for the keys that the factors set.
      config: The resolved configuration of the evaluation.
    """

    name: str
    levels: dict[str, Level]
    seed: int
    overrides: dict[str, object]
    config: ConfigDict


class Training(NamedTuple):
    """A training.

    Attributes:
      name: The name of its workdir.
      config: The resolved configuration.
      trials: The trials that evaluate it.
      trust_custom_code: Whether the workdirs of an ensemble may name custom classes.
    """

    name: str
    config: ConfigDict
    trials: list[Trial]
    trust_custom_code: bool = False

    @property
    def digest(self) -> str:
        """The digest of the configuration."""
        return config_digest(self.config)


def config_digest(config: ConfigDict) -> str:
    """Return 16 hexadecimal digits that identify a resolved configuration.

    Args:
      config: The configuration.
    """
    text = json.dumps(config.to_dict(), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_from_search(name: str) -> bool:
    """Return whether a trial comes from a search.

    Args:
      name: The name of the trial.
    """
    return name.startswith(_DRAWN)


def search_label(number: int) -> str:
    """Return the name of a point of a search.

    Args:
      number: The number of the point.
    """
    return f"{_DRAWN}{number:04}"


def grid_trainings(file: SweepFile) -> list[Training]:
    """List the trainings of all combinations of levels and seeds, the first seed first.

    Args:
      file: The sweep file.

    Raises:
      UserError: A factor is a range, a configuration is wrong, or two trials are the same.
    """
    factors = file.sweep.factors
    for name, factor in factors.items():
        if isinstance(factor, Range):
            what = f"factor {name} is a Range, which needs a search; use --search=random or bayes"
            raise UserError(str(file.path), what)
    resolve(file.base, file.overrides)  # Report errors of the base before those of trials.
    combinations = itertools.product(*(_levels(factor) for factor in factors.values()))
    points = [dict(zip(factors, levels, strict=True)) for levels in combinations]
    trainings: dict[str, Training] = {}
    for same_seed in zip(*(point_trainings(file, point) for point in points), strict=True):
        for training in same_seed:
            kept = trainings.setdefault(training.digest, training._replace(trials=[]))
            kept.trials.extend(training.trials)
    _check_different(file, trainings.values())
    return list(trainings.values())


def point_trainings(file: SweepFile, point: Point, label: str = "") -> list[Training]:
    """List the trainings of a point, one per seed, each with its trial.

    Args:
      file: The sweep file.
      point: A level of each factor.
      label: The name of the trials; by default they are named after their levels.

    Raises:
      UserError: The configuration is wrong.
    """
    factors = file.sweep.factors
    values = [level_overrides(name, factors[name], level) for name, level in point.items()]
    overrides = {key: value for each in values for key, value in each.items()}
    training_overrides = {k: v for k, v in overrides.items() if not k.startswith(_INFERENCE)}
    short = zip(_short(point), point.values(), strict=True)
    parts = [f"{name}={_file_name_part(level)}" for name, level in short]
    training_parts = [
        part
        for part, (name, factor) in zip(parts, factors.items(), strict=True)
        if any(not key.startswith(_INFERENCE) for key in factor_keys(name, factor))
    ]
    if label:
        parts, training_parts = [label], [label] if training_overrides else []
    try:
        config = _resolved(file, overrides)
        training_config = _resolved(file, training_overrides)
        check_training(training_config)
    except UserError as error:
        if not overrides:
            raise
        raise UserError(str(file.path), f"trial {'_'.join(parts)}: {error}") from error
    trainings = []
    for seed in file.sweep.seeds:
        name = "_".join([*parts, f"seed={seed}"])
        trial = Trial(name, dict(point), seed, overrides, _seeded(config, seed))
        folder = "_".join([*training_parts, f"seed={seed}"])
        seeded = _seeded(training_config, seed)
        trainings.append(Training(folder, seeded, [trial], file.trust_custom_code))
    return trainings


def preflight_trainings(file: SweepFile) -> list[Training]:
    """List the trainings at the preflight points of a search, which are checked before it starts.

    These are both ends of each range and all levels of the other factors, each combined with the
    first level of all other factors.

    Args:
      file: The sweep file.

    Raises:
      UserError: There are no factors, or a configuration is wrong.
    """
    if not file.sweep.factors:
        raise UserError(str(file.path), "has no factors to search")
    resolve(file.base, file.overrides)
    levels = {name: _levels(factor) for name, factor in file.sweep.factors.items()}
    first = {name: each[0] for name, each in levels.items()}
    points = [first | {name: level} for name, each in levels.items() for level in each]
    return [training for point in points for training in point_trainings(file, point)]


def _levels(factor: Factor) -> list[Level]:
    """Return the levels of a factor; those of a range are its ends."""
    return [factor.low, factor.high] if isinstance(factor, Range) else list(factor)


def _resolved(file: SweepFile, overrides: Mapping[str, object]) -> ConfigDict:
    pairs = [(key, format_value(value)) for key, value in overrides.items()]
    return resolve(file.base, [*file.overrides, *pairs])


def _seeded(config: ConfigDict, seed: int) -> ConfigDict:
    copied = config.copy_and_resolve_references()
    copied.seed = seed
    return copied


def _short(names: Iterable[str]) -> Iterator[str]:
    """Shorten dotted names to as many of their last parts as keep them distinct."""
    parts = [name.split(".") for name in names]
    longest = max(map(len, parts), default=1)
    for length in range(1, longest + 1):
        short = [".".join(each[-length:]) for each in parts]
        if len(set(short)) == len(short):
            break
    return iter(short if parts else [])


def _file_name_part(level: Level) -> str:
    return re.sub(r"[^\w.+-]", "-", format_value(level))


def _check_different(file: SweepFile, trainings: Iterable[Training]) -> None:
    trials = [trial for training in trainings for trial in training.trials]
    names: dict[str, str] = {}
    folders: set[str] = set()
    for trial in trials:
        other = names.setdefault(config_digest(trial.config), trial.name)
        if other != trial.name:
            what = f"trials {other} and {trial.name} are the same; remove one of them"
            raise UserError(str(file.path), what)
        # Some file systems do not distinguish upper and lower case.
        if trial.name.lower() in folders:
            raise UserError(str(file.path), f"two trials are called {trial.name}; rename a level")
        folders.add(trial.name.lower())
