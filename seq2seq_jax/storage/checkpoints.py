"""Checkpoints on disk: saved completely or not at all, and verified before they are read.

`DIRECTORY/<step>` holds

  state/           the arrays, written by Orbax
  checkpoint.json  the position in the data, the metrics and the time
  SHA256SUMS       checksums of all these files; `sha256sum -c SHA256SUMS` checks them by hand

A checkpoint is written under another name and renamed when it is complete, so that a killed process
leaves nothing that looks like a checkpoint. Orbax does not notice a changed byte of the arrays and
restores wrong numbers. Therefore the checksums are compared before Orbax reads anything.
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
from jaxtyping import PyTree

from seq2seq_jax.storage.arrays import named_arrays
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one run.

    Reading changes nothing on disk, so a run in progress can be read from another process. The next
    save removes what a killed process left unfinished (`*.partial`).
    """

    def __init__(
        self,
        directory: str | Path,
        keep_max: int = 0,
        keep_every_n_hours: float = 0,
        best_metric: str = "log_perplexity",
        lower_is_better: bool = True,
    ) -> None:
        """Describe where the checkpoints are and which of them are kept.

        Args:
          directory: Has one subdirectory for each step.
          keep_max: Number of latest checkpoints that are kept; 0 keeps all.
          keep_every_n_hours: In addition, keep one checkpoint every n hours, counted from the first
            one; 0 keeps none for its age.
          best_metric: In addition, keep the best checkpoint by this metric.
          lower_is_better: Whether lower values of `best_metric` are better.
        """
        self.directory = Path(directory).absolute()
        self.keep_max = keep_max
        self.keep_every_n_hours = keep_every_n_hours
        self.best_metric = best_metric
        self.lower_is_better = lower_is_better

    def save(
        self,
        step: int,
        state: PyTree,
        data: Mapping[str, object],
        metrics: Mapping[str, float | str] | None = None,
    ) -> None:
        """Write one checkpoint, then delete those that are no longer kept.

        All processes must call this; Orbax makes them wait for each other. Every process holds the
        whole state, and the first one writes it, so any number of processes can read it.

        Existing checkpoints of this and of later steps are deleted first: they belong to a history
        that this run does not continue, because it fell back to an earlier step.

        Args:
          step: Number of steps done.
          state: A pytree of arrays and numbers.
          data: What else belongs to the checkpoint, as JSON, such as the position in the data.
          metrics: Results on the dev set at this step; texts among them are left out. Without
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

    def read(self, step: int | None = None) -> tuple[int, dict[str, np.ndarray], dict[str, Any]]:
        """Read a checkpoint.

        Args:
          step: Which one; None reads the latest undamaged one and warns about damaged ones.

        Returns:
          The step, the arrays by their dotted names, bit for bit as saved (see
          `arrays.into_template`), and the data.

        Raises:
          UserError: There is no checkpoint, or all are damaged.
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
                return candidate, *self._read_verified(candidate)
            # A damaged file can make the readers raise anything.
            except Exception as error:
                reason = str(error).partition("\n")[0][:200] or type(error).__name__
                _log.warning("skipping checkpoint %d, which is damaged: %s", candidate, reason)
        others = self.all_steps() if step is not None else []
        remedy = "use inference.checkpoint=latest" if len(others) > 1 else "restore a copy"
        raise UserError(
            str(self.directory), f"no undamaged checkpoint: {_listed(steps)} damaged; {remedy}"
        )

    def all_steps(self) -> list[int]:
        """Return the steps that have a complete checkpoint, in ascending order."""
        if not self.directory.is_dir():
            return []
        # Checkpoints that are being written or deleted have a suffix.
        return sorted(int(path.name) for path in self.directory.iterdir() if path.name.isdecimal())

    def latest_step(self) -> int | None:
        """Return the last step that has a complete checkpoint, or None."""
        return max(self.all_steps(), default=None)

    def best_step(self) -> int | None:
        """Return the best step by `best_metric`, the later of equals; None without any metrics."""
        return next(iter(self.best_steps()), None)

    def best_steps(self) -> list[int]:
        """Return the steps that have `best_metric`, best first, the later of equals first."""
        values = {step: self._rank(step) for step in self.all_steps()}
        return sorted(
            (step for step, value in values.items() if value > -math.inf),
            key=lambda step: (values[step], step),
            reverse=True,
        )

    def metrics(self, step: int) -> dict[str, float]:
        """Return the metrics that were saved with a step.

        Args:
          step: Step of an existing checkpoint.

        Returns:
          Numbers by name; empty if none were saved or if they are damaged.
        """
        return dict(self._entry(step).get("metrics", {}))

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
        """Delete a checkpoint; rename it first, so that half of it does not look damaged."""
        doomed = self.directory / f"{step}.deleted.partial"
        os.replace(self.directory / str(step), doomed)
        shutil.rmtree(doomed)

    def _rank(self, step: int) -> float:
        """Return the value to rank by, higher is better; missing values and NaN come last."""
        value = float(self.metrics(step).get(self.best_metric, math.nan))
        if math.isnan(value):
            return -math.inf
        return -value if self.lower_is_better else value

    def _read_verified(self, step: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Read one step; raise any exception if it is damaged."""
        directory = self.directory / str(step)
        if (directory / "SHA256SUMS").read_bytes() != _sums(directory):
            raise ValueError("its bytes do not match its SHA256SUMS")
        with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as reader:
            arrays = reader.restore(directory / "state", args=ocp.args.StandardRestore())
        return dict(arrays), self._entry(step)["data"]


def _wait_for_all(where: str) -> None:
    """Wait until all processes have reached this point."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(where)


def _sums(directory: Path) -> bytes:
    """Return the SHA-256 of every file in a checkpoint in sha256sum's format, sorted by name."""
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


def _listed(steps: list[int]) -> str:
    return f"step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}"
