"""Checkpoints on disk: saved whole or not at all, and never restored with a wrong byte.

`DIRECTORY/<step>` holds

  state/           the arrays, written by Orbax
  checkpoint.json  what goes with them: the position in the data, the metrics, the time
  SHA256SUMS       of all those files; `sha256sum -c SHA256SUMS` checks them by hand

It is written under another name and renamed when complete, so that a process killed in between
leaves nothing that looks like a checkpoint. The sums are there because Orbax does not notice when a
byte of the arrays changed on disk: it restores wrong numbers without a word. They are compared
before Orbax reads anything.
"""

import hashlib
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one run.

    Reading changes nothing on disk, so that a run in progress can be read from beside it. What a
    killed process left unfinished (`*.partial`) is removed by the next save.

    Args:
      directory: where they are, one directory a step.
      keep_max: how many of the latest are kept; 0 keeps all.
      keep_every_n_hours: besides those, one every so many hours is kept, counted from the first
        one; 0 keeps none for its age.
      best_metric: besides those, the best one by this metric is kept (see `lower_is_better`).
    """

    def __init__(
        self,
        directory: str | Path,
        keep_max: int = 5,
        keep_every_n_hours: float = 4,
        best_metric: str = "log_perplexity",
    ):
        self.directory = Path(directory).absolute()
        self.keep_max = keep_max
        self.keep_every_n_hours = keep_every_n_hours
        self.best_metric = best_metric

    def save(
        self, step: int, state: Any, data: Mapping, metrics: Mapping[str, float | str] | None = None
    ) -> None:
        """Writes one checkpoint and returns when it is complete; then drops those not to be kept.

        Of several processes all have to call this: Orbax makes them wait for each other. The first
        one writes, for every process holds the whole state; so any number of them can read it.

        Steps from `step` on that are already there are removed first: they are of a history that
        this run does not continue (it fell back to an earlier step), or are replaced.

        Args:
          step: steps done.
          state: a pytree of arrays and numbers.
          data: what goes with it and JSON can hold, such as the position in the training data.
          metrics: results on the dev set at this step (texts among them are left out). Without
            `best_metric` among them the checkpoint cannot become the best one.
        """
        entry = {
            "step": int(step),
            "time": time.time(),
            "metrics": {k: float(v) for k, v in (metrics or {}).items() if not isinstance(v, str)},
            "data": dict(data),
        }
        writes = jax.process_index() == 0
        partial = self.directory / f"{step}.partial"
        if writes:
            self.directory.mkdir(parents=True, exist_ok=True)
            for left_over in self.directory.glob("*.partial"):
                shutil.rmtree(left_over)
            partial.mkdir()
        _wait_for_all("checkpoint begun")
        with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as writer:
            writer.save(partial / "state", args=ocp.args.StandardSave(named_arrays(state)))
        if writes:
            (partial / "checkpoint.json").write_text(json.dumps(entry), encoding="utf-8")
            _write_sums(partial)
            for later in self.all_steps():
                if later >= step:
                    self._delete(later)
            os.replace(partial, self.directory / str(step))
            for earlier in set(self.all_steps()) - self._steps_to_keep():
                self._delete(earlier)
        _wait_for_all("checkpoint complete")

    def read(self, step: int | None = None) -> tuple[int, dict[str, np.ndarray], dict]:
        """Reads a checkpoint.

        Args:
          step: which one; without it the latest whole one: those that are damaged are passed over
            with a warning.

        Returns:
          The step, the arrays by their dotted names, bit for bit as saved (see `into_template`),
          and the data.

        Raises:
          UserError: none is there, or none is whole.
        """
        steps = self.all_steps()
        if not steps:
            raise UserError(str(self.directory), "no checkpoint here; train one first")
        if step is not None:
            if step not in steps:
                raise UserError(
                    str(self.directory), f"no checkpoint of step {step}; there are {_listed(steps)}"
                )
            steps = [step]
        for candidate in reversed(steps):
            try:
                return candidate, *self._read_whole(candidate)
            # Whatever a damaged file makes the readers raise, the answer is the same.
            except Exception as error:
                reason = str(error).partition("\n")[0][:200] or type(error).__name__
                _log.warning("checkpoint %d is damaged and passed over: %s", candidate, reason)
        others = self.all_steps() if step is not None else []
        remedy = "inference.checkpoint=latest" if len(others) > 1 else "a copy, or a new training,"
        raise UserError(
            str(self.directory), f"no whole checkpoint: {_listed(steps)} damaged; {remedy} would do"
        )

    def all_steps(self) -> list[int]:
        """The steps that have a complete checkpoint, ascending."""
        if not self.directory.is_dir():
            return []
        # What is being written or deleted carries a suffix.
        return sorted(int(path.name) for path in self.directory.iterdir() if path.name.isdecimal())

    def latest_step(self) -> int | None:
        """The last step that has a complete checkpoint."""
        return max(self.all_steps(), default=None)

    def best_step(self) -> int | None:
        """The best step by `best_metric` (of equals the later); None without any metrics."""
        return next(iter(self.best_steps()), None)

    def best_steps(self) -> list[int]:
        """The steps that have `best_metric`, the best first (of equals the later)."""
        values = {step: _rank(self.metrics(step), self.best_metric) for step in self.all_steps()}
        return sorted(
            (step for step, value in values.items() if value > -math.inf),
            key=lambda step: (values[step], step),
            reverse=True,
        )

    def metrics(self, step: int) -> dict[str, float]:
        """The metrics that were saved with a step; empty if there were none or they are damaged."""
        return self._entry(step).get("metrics", {})

    def _entry(self, step: int) -> dict[str, Any]:
        try:
            text = (self.directory / str(step) / "checkpoint.json").read_text("utf-8")
            return dict(json.loads(text))
        except (OSError, ValueError, TypeError):
            return {}

    def _steps_to_keep(self) -> set[int]:
        steps = self.all_steps()
        kept = set(steps[-self.keep_max :])  # all of them if keep_max is 0
        best = self.best_step()
        if best is not None:
            kept.add(best)
        if self.keep_every_n_hours > 0:
            last_kept = -math.inf
            for step in steps:
                saved_at = self._entry(step).get("time", math.nan)
                if saved_at >= last_kept + 3600 * self.keep_every_n_hours:
                    kept.add(step)
                    last_kept = saved_at
        return kept

    def _delete(self, step: int) -> None:
        """Renames first: half a checkpoint must not look like a damaged one."""
        doomed = self.directory / f"{step}.deleted.partial"
        os.replace(self.directory / str(step), doomed)
        shutil.rmtree(doomed)

    def _read_whole(self, step: int) -> tuple[dict[str, np.ndarray], dict]:
        """Reads one step; raises anything at all if it is damaged."""
        directory = self.directory / str(step)
        if (directory / "SHA256SUMS").read_bytes() != _sums(directory):
            raise ValueError("its bytes do not match its SHA256SUMS")
        with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as reader:
            arrays = reader.restore(directory / "state", args=ocp.args.StandardRestore())
        return dict(arrays), self._entry(step)["data"]


def lower_is_better(metric: str) -> bool:
    """Perplexities, losses and error rates are better when lower, all else when higher."""
    return metric.endswith(("perplexity", "loss", "error_rate"))


def named_arrays(tree: Any) -> dict[str, np.ndarray]:
    """The leaves of a pytree on the host, by their dotted names (`params.encoder.kernel`)."""
    return {name: np.asarray(leaf) for name, leaf in _named_leaves(tree).items()}


def into_template(template: Any, arrays: Mapping[str, np.ndarray], where: str) -> Any:
    """Puts arrays with dotted names into the structure of `template`.

    Args:
      template: a pytree of arrays or `jax.ShapeDtypeStruct`. It may be a part of what was saved
        (`{"params": ...}` of a train state): the rest is then left out.

    Raises:
      UserError: at `where`, for the first that does not fit.
    """
    filled = []
    for name, leaf in _named_leaves(template).items():
        if name not in arrays:
            raise UserError(where, f"has no {name}, which this configuration's model has")
        array, wanted = arrays[name], leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
        if (array.shape, array.dtype) != (tuple(wanted.shape), wanted.dtype):
            raise UserError(
                where,
                f"{name} is {array.dtype.name} {array.shape} here but {wanted.dtype.name} "
                f"{tuple(wanted.shape)} in this configuration's model",
            )
        filled.append(array)
    return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(template), filled)


def digest(tree: Any) -> str:
    """SHA-256 (hex) over the names, shapes, dtypes and bytes of all leaves, by name in order."""
    sha = hashlib.sha256()
    for name, array in sorted(named_arrays(tree).items()):
        sha.update(f"{name} {array.shape} {array.dtype.name}\n".encode())
        sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def _wait_for_all(where: str) -> None:
    """Of several processes none goes on before all have come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(where)


def _sums(directory: Path) -> bytes:
    """SHA-256 of every file in a checkpoint, as sha256sum prints them, by name in order."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    lines = []
    for path in files:
        if path.name != "SHA256SUMS":
            with open(path, "rb") as file:
                sha = hashlib.file_digest(file, "sha256").hexdigest()
            lines.append(f"{sha}  {path.relative_to(directory).as_posix()}\n")
    return "".join(lines).encode()


def _write_sums(directory: Path) -> None:
    (directory / "SHA256SUMS").write_bytes(_sums(directory))


def _named_leaves(tree: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    named = {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}
    if len(named) != len(leaves):
        raise ValueError("two leaves of the tree have the same dotted name")
    return named


def _rank(metrics: Mapping[str, float] | None, name: str) -> float:
    """The value to be ranked, higher is better; a missing one or NaN comes last."""
    value = float((metrics or {}).get(name, math.nan))
    if math.isnan(value):
        return -math.inf
    return -value if lower_is_better(name) else value


def _listed(steps: list[int]) -> str:
    return f"step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}"
