"""What a new run takes from a checkpoint of another run: parameters and, if asked for, its state.

Rows of vocabularies are taken by token (see `training.vocabulary_rows`).
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from flax import linen as nn
from jaxtyping import PyTree
from ml_collections import ConfigDict

from seq2seq_jax.models.build import variable_shapes
from seq2seq_jax.problems.initial_run import InitialRun, describe_vocabularies
from seq2seq_jax.problems.protocol import TrainingData
from seq2seq_jax.schema.rules import split_names
from seq2seq_jax.storage.arrays import into_template, named_arrays, named_shapes
from seq2seq_jax.storage.history import append_event
from seq2seq_jax.storage.workdir import Vocabularies, Workdir
from seq2seq_jax.training.parameter_patterns import (
    check_optimizer_patterns,
    check_patterns,
    matches,
)
from seq2seq_jax.training.train_step import TrainState
from seq2seq_jax.training.vocabulary_rows import Rows, remap_rows, vocabulary_rows
from seq2seq_jax.utils.errors import UserError, quantity

_log = logging.getLogger(__name__)
_MAX_LISTED = 6


class Transfer(NamedTuple):
    """What is taken from a run; made and checked before anything is compiled.

    Attributes:
      run: The checkpoint.
      take: The value of `transfer.take`.
      kind: The arrays that become the parameters: "params" or "ema_params".
      names: The dotted names of the parameters that are taken.
      rows: For arrays with vocabulary axes, by name: (axis, [new size] index of the old row of each
        new one, or -1) for each such axis.
    """

    run: InitialRun
    take: str
    kind: str
    names: list[str]
    rows: Rows

    @property
    def description(self) -> str:
        """Some lines for the log."""
        weights = "the moving average of its parameters" if self.kind == "ema_params" else "raw"
        sizes = sum(self.run.arrays[f"{self.kind}.{name}"].size for name in self.names)
        what = {"params": "", "optimizer": ", optimizer and step", "all": ", and all of its state"}
        return (
            f"Initializing from {self.run.name} ({weights}): {quantity(len(self.names), 'array')}"
            f" with {sizes:,} parameters{what[self.take]}"
        )


def plan_start(config: ConfigDict, model: nn.Module, data: TrainingData) -> Transfer | None:
    """Check the patterns of parameters, and find out what is taken from another run.

    Args:
      config: The resolved configuration of the run.
      model: Its model.
      data: Its data, which hold the checkpoint from which a new run starts.

    Returns:
      What is taken; None if the run resumes or starts from drawn parameters.

    Raises:
      UserError: A pattern matches nothing, or the checkpoint does not fit.
    """
    optimizer = config.optimizer
    if not (data.initial_run or optimizer.frozen or optimizer.lr_multipliers):
        return None
    shapes = variable_shapes(model)["params"]
    check_optimizer_patterns(optimizer, shapes)
    if data.initial_run is None:
        return None
    return plan_transfer(config, data.initial_run, data.vocabularies, shapes)


def check_steps(step: int, train_steps: int, workdir: Workdir, plan: Transfer | None) -> None:
    """Check that a run has not taken more steps than `train_steps`.

    Args:
      step: The number of steps that are done.
      train_steps: The step at which training ends.
      workdir: The run's directory.
      plan: What is taken from another run; then at least one step must be left.

    Raises:
      UserError: Too few steps are asked for.
    """
    if step + bool(plan) > train_steps:
        least = f"above {step}" if plan else f"at least {step}"
        where = plan.run.path if plan else workdir.path
        what = f"must be {least}, the steps that are done in {where}; got {train_steps}"
        raise UserError("train_steps", what)


def plan_transfer(
    config: ConfigDict, run: InitialRun, vocabularies: Vocabularies, shapes: PyTree
) -> Transfer:
    """Find out what is taken from a run, and check that it fits.

    Args:
      config: The resolved configuration of the new run.
      run: The checkpoint that `initialize_from` names.
      vocabularies: The vocabularies of the new run.
      shapes: The shapes of the parameters of the new model.

    Returns:
      What is taken.

    Raises:
      UserError: Parameters are missing there or have other shapes, which the error lists; or a
        pattern matches nothing.
    """
    transfer = config.transfer
    names = list(named_shapes(shapes))
    include, exclude = split_names(transfer.include), split_names(transfer.exclude)
    slashed = {name: name.replace(".", "/") for name in names}
    check_patterns(include, slashed.values(), "transfer.include")
    check_patterns(exclude, slashed.values(), "transfer.exclude")
    taken = [
        name
        for name, path in slashed.items()
        if any(matches(path, pattern) for pattern in include)
        and not any(matches(path, pattern) for pattern in exclude)
    ]
    whole = transfer.take != "params"
    if whole and len(taken) < len(names):
        what = f"is {transfer.take}, which needs all parameters, but transfer.include or exclude"
        raise UserError("transfer.take", f"{what} leaves some out; use take=params")
    has_average = any(name.startswith("ema_params.") for name in run.arrays)
    kind = "ema_params" if has_average and transfer.weights == "evaluated" else "params"
    if whole:
        kind = "params"  # The state of the optimizer belongs to these.
    rows = vocabulary_rows(config, run.vocabularies, vocabularies, shapes)
    _check_fit({name: named_shapes(shapes)[name] for name in taken}, run, kind, rows)
    plan = Transfer(run, transfer.take, kind, taken, rows)
    _log.info("%s", plan.description)
    for line in describe_vocabularies(run, vocabularies):
        _log.info("%s", line)
    if missing := [name for name in names if name not in taken]:
        _log.info("Initialized randomly: %s", _listed(missing))
    there = [name.removeprefix("params.") for name in run.arrays if name.startswith("params.")]
    if unused := [name for name in there if name not in taken and name not in names]:
        _log.info("Not taken, because this model has no such parameters: %s", _listed(unused))
    return plan


def apply_transfer(plan: Transfer, state: TrainState) -> TrainState:
    """Return a new state with everything that is taken from a run.

    Args:
      plan: What is taken.
      state: The state of the new run at step 0, on the host or on a device. New rows of the
        vocabulary are the mean of the old ones, plus what was drawn for them.

    Returns:
      The state. With `take=params`, the optimizer is new and a moving average starts from the
      parameters; otherwise its state, the step and the factor of the learning rate are taken.

    Raises:
      UserError: The state of the optimizer does not fit.
    """
    drawn = named_arrays(state.params)
    params = dict(drawn)
    for name in plan.names:
        params[name] = remap_rows(plan.run.arrays[f"{plan.kind}.{name}"], plan.rows, name, drawn)
    arrays = {f"params.{name}": array for name, array in params.items()}
    where = plan.run.name
    if plan.take == "params":
        new = into_template({"params": state.params}, arrays, where)["params"]
        average = None if state.ema_params is None else jax.tree.map(np.copy, new)
        stats = _batch_stats(plan, state)
        return state.replace(params=new, ema_params=average, batch_stats=stats)
    for name, array in plan.run.arrays.items():
        if not name.startswith("params."):
            arrays[name] = remap_rows(array, plan.rows, _suffix(name, plan.rows))
    if state.ema_params is not None:  # A moving average that starts here starts from these.
        for name, array in params.items():
            arrays.setdefault(f"ema_params.{name}", array)
    _check_state(named_shapes(state.saved), arrays, plan)
    return state.replace_saved(into_template(state.saved, arrays, where))


def record_start(
    workdir: Workdir, step: int, plan: Transfer | None, changes: Mapping[str, list[object]]
) -> None:
    """Record in the history of a run from where it starts, or which keys change.

    Args:
      workdir: The run's directory.
      step: The step at which it starts or resumes.
      plan: What is taken from another run, if anything.
      changes: The keys that change, with their old and new values.
    """
    if plan:
        run = {"run": str(Path(plan.run.path).resolve()), "run_step": plan.run.step}
        append_event(workdir.path, "initialized", step, {**run, "take": plan.take})
    if changes:
        append_event(workdir.path, "changed", step, {"changes": changes})
        _log.info("Changed at step %d: %s", step, describe_changes(changes))


def describe_changes(changes: Mapping[str, list[object]]) -> str:
    """Return changed keys with their values: "batch_size: 16 -> 32"."""
    return ", ".join(f"{key}: {old} -> {new}" for key, (old, new) in changes.items())


def _batch_stats(plan: Transfer, state: TrainState) -> PyTree:
    """Return the batch statistics of the run, where it has those of this model."""
    stats = named_arrays({"batch_stats": state.batch_stats})
    same = {
        name: array
        for name, array in plan.run.arrays.items()
        if name in stats and array.shape == stats[name].shape
    }
    template = {"batch_stats": state.batch_stats}
    return into_template(template, {**stats, **same}, plan.run.name)["batch_stats"]


def _check_fit(
    shapes: Mapping[str, tuple[int, ...]],
    run: InitialRun,
    kind: str,
    rows: Rows,
) -> None:
    """Raise UserError with a list of the parameters that are not there or have another shape."""
    problems = []
    for name, shape in shapes.items():
        array = run.arrays.get(f"{kind}.{name}")
        path = name.replace(".", "/")
        if array is None:
            problems.append(f"{path} is not there")
            continue
        found = list(array.shape)
        for axis, index in rows.get(name, []):
            if len(found) == len(shape) and found[axis] > index.max(initial=-1):
                found[axis] = len(index)
        if tuple(found) != shape:
            problems.append(f"{path} is {array.shape} there, {shape} here")
    if problems:
        raise UserError(
            "initialize_from",
            f"{quantity(len(problems), 'parameter')} of this model"
            f" {'does' if len(problems) == 1 else 'do'} not fit {run.name}: {_listed(problems)};"
            " use the sizes of that run, or leave them out with transfer.exclude",
        )


def _check_state(
    shapes: Mapping[str, tuple[int, ...]], arrays: Mapping[str, np.ndarray], plan: Transfer
) -> None:
    problems = [
        f"{name} is {'not there' if name not in arrays else f'{arrays[name].shape} there'}"
        for name, shape in shapes.items()
        if name not in arrays or arrays[name].shape != shape
    ]
    problems += [
        f"{name} is not here"
        for name in arrays
        if name.startswith("opt_state.") and name not in shapes
    ]
    if problems:
        raise UserError(
            "transfer.take",
            f"is {plan.take}, but the optimizer differs from that of {plan.run.name}:"
            f" {_listed(problems)}; use the same optimizer, or take=params",
        )


def _suffix(name: str, rows: Mapping[str, object]) -> str:
    """Return the parameter to which an array of the optimizer belongs; "" if to none of `rows`."""
    return next((parameter for parameter in rows if name.endswith(f".{parameter}")), "")


def _listed(items: list[str]) -> str:
    shown = [item if " " in item else item.replace(".", "/") for item in items[:_MAX_LISTED]]
    more = len(items) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
