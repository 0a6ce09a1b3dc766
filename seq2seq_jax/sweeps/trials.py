"""Trials, and the trainings that they need: one each, or one for several that search otherwise.

A factor below `inference` does not touch training. So trials that differ in nothing else share a
training, and each evaluates what came of it in its own way. That training is as the base says: its
own evaluations, and the choice of its best checkpoint, know nothing of those factors.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from seq2seq_jax.config import check_training, resolve
from seq2seq_jax.sweeps.definition import (
    Factor,
    Level,
    Range,
    SweepFile,
    as_text,
    keys_of,
    values_at,
)
from seq2seq_jax.utils.errors import UserError

Point = Mapping[str, Level]
"""A level of each factor."""

_INFERENCE = "inference."
_DRAWN = "trial="


class Trial(NamedTuple):
    """
    Attributes:
      name: a file name; differs from that of all other trials of the sweep.
      levels: of the factors.
      overrides: of the base, those that all trials have left out: key -> value.
      config: resolved, to evaluate with.
    """

    name: str
    levels: dict[str, Level]
    seed: int
    overrides: dict[str, Any]
    config: ConfigDict


class Training(NamedTuple):
    """
    Attributes:
      name: of its folder.
      config: resolved, to train with.
      trials: that evaluate it.
    """

    name: str
    config: ConfigDict
    trials: list[Trial]

    @property
    def digest(self) -> str:
        return config_digest(self.config)


def config_digest(config: ConfigDict) -> str:
    """16 hexadecimal digits that tell a resolved configuration from another."""
    text = json.dumps(config.to_dict(), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_drawn(name: str) -> bool:
    """Whether a search has drawn the trial of that name."""
    return name.startswith(_DRAWN)


def drawn_label(number: int) -> str:
    """Names what a search has drawn."""
    return f"{_DRAWN}{number:04}"


def grid(file: SweepFile) -> list[Training]:
    """Each level of each factor with each of the others, with each seed; the first seed first.

    Raises:
      UserError: a factor is a range; a trial's configuration is wrong; two trials are the same.
    """
    factors = file.sweep.factors
    for name, factor in factors.items():
        if isinstance(factor, Range):
            what = f"factor {name} is a Range, from which a search draws; --search=random or bayes"
            raise UserError(str(file.path), what)
    resolve(file.base, file.overrides)  # what is wrong with the base is no fault of a trial
    combinations = itertools.product(*(_levels(factor) for factor in factors.values()))
    points = [dict(zip(factors, levels, strict=True)) for levels in combinations]
    trainings: dict[str, Training] = {}
    for of_a_seed in zip(*(trainings_at(file, point) for point in points), strict=True):
        for training in of_a_seed:
            kept = trainings.setdefault(training.digest, training._replace(trials=[]))
            kept.trials.extend(training.trials)
    _check_different(file, trainings.values())
    return list(trainings.values())


def trainings_at(file: SweepFile, point: Point, label: str = "") -> list[Training]:
    """The trainings of a point, one a seed, each with its trial.

    Args:
      label: names the trials in the place of their levels.

    Raises:
      UserError: the configuration is wrong there.
    """
    factors = file.sweep.factors
    values = [values_at(name, factors[name], level) for name, level in point.items()]
    overrides = {key: value for each in values for key, value in each.items()}
    training_overrides = {k: v for k, v in overrides.items() if not k.startswith(_INFERENCE)}
    short = zip(_short(point), point.values(), strict=True)
    parts = [f"{name}={_for_a_file(level)}" for name, level in short]
    of_training = [
        part
        for part, (name, factor) in zip(parts, factors.items(), strict=True)
        if any(not key.startswith(_INFERENCE) for key in keys_of(name, factor))
    ]
    if label:
        parts, of_training = [label], [label] if training_overrides else []
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
        folder = "_".join([*of_training, f"seed={seed}"])
        trainings.append(Training(folder, _seeded(training_config, seed), [trial]))
    return trainings


def corners(file: SweepFile) -> list[Training]:
    """The trainings of a search at both ends of each range, and at each level of other factors,
    with the first of all other factors: those that are looked at before it begins.

    Raises:
      UserError: there is nothing to search; a configuration is wrong.
    """
    if not file.sweep.factors:
        raise UserError(str(file.path), "has no factors, so there is nothing to search")
    resolve(file.base, file.overrides)
    levels = {name: _levels(factor) for name, factor in file.sweep.factors.items()}
    first = {name: each[0] for name, each in levels.items()}
    points = [first | {name: level} for name, each in levels.items() for level in each]
    return [training for point in points for training in trainings_at(file, point)]


def _levels(factor: Factor) -> list[Level]:
    """Those of a range are its ends."""
    return [factor.low, factor.high] if isinstance(factor, Range) else list(factor)


def _resolved(file: SweepFile, overrides: Mapping[str, Any]) -> ConfigDict:
    pairs = [(key, as_text(value)) for key, value in overrides.items()]
    return resolve(file.base, [*file.overrides, *pairs])


def _seeded(config: ConfigDict, seed: int) -> ConfigDict:
    copied = config.copy_and_resolve_references()
    copied.seed = seed
    return copied


def _short(names: Iterable[str]) -> Iterator[str]:
    """Dotted names by as many of their last parts as tell them apart."""
    parts = [name.split(".") for name in names]
    longest = max(map(len, parts), default=1)
    for length in range(1, longest + 1):
        short = [".".join(each[-length:]) for each in parts]
        if len(set(short)) == len(short):
            break
    return iter(short if parts else [])


def _for_a_file(level: Level) -> str:
    return re.sub(r"[^\w.+-]", "-", as_text(level))


def _check_different(file: SweepFile, trainings: Iterable[Training]) -> None:
    trials = [trial for training in trainings for trial in training.trials]
    names: dict[str, str] = {}
    folders: set[str] = set()
    for trial in trials:
        other = names.setdefault(config_digest(trial.config), trial.name)
        if other != trial.name:
            what = f"trials {other} and {trial.name} are the same; leave one of them out"
            raise UserError(str(file.path), what)
        # Systems differ in whether capitals count in the name of a file.
        if trial.name.lower() in folders:
            raise UserError(str(file.path), f"two trials are called {trial.name}; rename a level")
        folders.add(trial.name.lower())
