"""Checkpoints on disk: saved completely or not at all, and verified before they are read.

`storage.checkpoint_files` describes the files of one checkpoint. A checkpoint is written under
another name and renamed when it is complete, so that a killed process leaves nothing that looks
like a checkpoint.
"""

import functools
import logging
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from jaxtyping import PyTree

from seq2seq_jax.storage.arrays import named_arrays
from seq2seq_jax.storage.checkpoint_files import read_checkpoint, read_metadata, write_metadata
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import reason
from seq2seq_jax.utils.integrity import DamagedFileError

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
        describe_run: Callable[[], Mapping[str, object]] = dict,
    ) -> None:
        """Describe where the checkpoints are and which of them are kept.

        Args:
          directory: Has one subdirectory for each step.
          keep_max: Number of latest checkpoints that are kept; 0 keeps all.
          keep_every_n_hours: In addition, keep one checkpoint every n hours, counted from the first
            one; 0 keeps none for its age.
          best_metric: In addition, keep the best checkpoint by this metric.
          lower_is_better: Whether lower values of `best_metric` are better.
          describe_run: Called once, by the first save: what else identifies the run, as JSON.
        """
        self.directory = Path(directory)
        self.keep_max = keep_max
        self.keep_every_n_hours = keep_every_n_hours
        self.best_metric = best_metric
        self.lower_is_better = lower_is_better
        self._describe_run = functools.cache(describe_run)
        self._reported: set[int] = set()  # Damaged checkpoints that the log has named.

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

        Raises:
          UserError: The checkpoint cannot be written. The earlier ones are intact.
        """
        entry = {
            "step": int(step),
            "time": time.time(),
            "metrics": {k: float(v) for k, v in (metrics or {}).items() if not isinstance(v, str)},
            "data": dict(data),
        }
        arrays = named_arrays(state)
        writes = jax.process_index() == 0
        partial = self.directory / f"{step}.partial"
        with self._explain_failure(step, partial):
            if writes:
                self.directory.mkdir(parents=True, exist_ok=True)
                for left_over in self.directory.glob("*.partial"):
                    shutil.rmtree(left_over)
                partial.mkdir()
            _wait_for_all("checkpoint begun")
            with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as writer:
                writer.save(partial.absolute() / "state", args=ocp.args.StandardSave(arrays))
            if writes:
                write_metadata(partial, entry | {"run": dict(self._describe_run())})
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
                    str(self.directory), f"no checkpoint of step {step}, only of {_listed(steps)}"
                )
            steps = [step]
        for candidate in reversed(steps):
            found = self._read_or_warn(candidate, "skipping checkpoint")
            if found:
                return candidate, *found
        raise UserError(
            str(self.directory),
            f"no undamaged checkpoint: {_listed(steps)} damaged; {self._remedy(steps)}",
        )

    def entry(self, step: int | None = None) -> dict[str, Any]:
        """Return what `checkpoint.json` says, verified, without reading any arrays.

        Args:
          step: Which one; None: the latest whose `checkpoint.json` is undamaged.

        Returns:
          The keys `step`, `time`, `metrics`, `data` and `run`, and `integrity.SEAL`; empty if there
          is no such checkpoint.

        Raises:
          DamagedFileError: The file of this step is damaged, or belongs to another step.
          UserError: A later version wrote it.
        """
        if step is not None:
            return read_metadata(self.directory / str(step))
        for candidate in reversed(self.all_steps()):
            with suppress(DamagedFileError):
                return read_metadata(self.directory / str(candidate))
        return {}

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
        """Return the steps that have `best_metric`, best first, the later of equals first.

        Raises:
          UserError: The metrics of a checkpoint are damaged, so that the best one is not known.
        """
        values = {}
        for step in self.all_steps():
            try:
                values[step] = self._rank(step)
            except DamagedFileError as error:
                if not (self.directory / str(step)).exists():
                    continue  # A training that is running has just deleted it.
                remedy = "use inference.checkpoint=latest or a step, or restore a copy"
                what = f"{error.what}, so it is not known which checkpoint is the best; {remedy}"
                raise UserError(error.where, what) from error
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
          Numbers by name; empty if none were saved.

        Raises:
          UserError: They are damaged.
        """
        return dict(self.entry(step)["metrics"])

    def _steps_to_keep(self) -> set[int]:
        """Return the steps to keep; a checkpoint whose metrics are damaged may be the best one."""
        steps = self.all_steps()
        kept = set(steps[-self.keep_max :])  # all of them if keep_max is 0
        ranks, times = {}, {}
        for step in steps:
            try:
                ranks[step], times[step] = self._rank(step), self.entry(step)["time"]
            except UserError as error:
                kept.add(step)
                if step not in self._reported:
                    _log.warning("keeping checkpoint %d: %s", step, error)
                self._reported.add(step)
        best = max(ranks, key=lambda step: (ranks[step], step), default=None)
        if best is not None and ranks[best] > -math.inf:
            kept.add(best)
        if self.keep_every_n_hours > 0:
            last_kept = -math.inf
            for step in steps:
                saved_at = times.get(step, math.nan)
                if saved_at >= last_kept + 3600 * self.keep_every_n_hours:
                    kept.add(step)
                    last_kept = saved_at
        return kept

    @contextmanager
    def _explain_failure(self, step: int, partial: Path) -> Iterator[None]:
        """Report in one line that a checkpoint cannot be written, and remove what was written."""
        hook = sys.unraisablehook
        sys.unraisablehook = lambda error: _is_late(error) or hook(error)
        try:
            yield
            sys.unraisablehook = hook
        # Orbax's errors have several types; they contain the error of the operating system.
        except (OSError, ValueError, RuntimeError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            kept = self.latest_step()
            resumes = f"; the checkpoint of step {kept} is intact" if kept else ""
            raise UserError(
                str(self.directory / str(step)),
                f"the checkpoint cannot be written ({reason(error)}); free some space, or make the"
                f" directory writable, and run the same command again{resumes}",
            ) from error

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

    def _read_or_warn(
        self, step: int, what: str
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Read one step; return None, with a warning in the log, if it is damaged."""
        try:
            return read_checkpoint(self.directory / str(step))
        # A damaged file can make the readers raise anything.
        except Exception as error:
            if isinstance(error, UserError) and not isinstance(error, DamagedFileError):
                raise  # A later version wrote it.
            reason = str(error).partition("\n")[0][:200] or type(error).__name__
            _log.warning("%s %d, which is damaged: %s", what, step, reason)
            return None

    def _remedy(self, damaged: list[int]) -> str:
        """Return what to do about damaged checkpoints: use an intact one, an earlier one if any."""
        others = [step for step in self.all_steps() if step not in damaged]
        for step in sorted(others, key=lambda step: (step > damaged[0], -step)):
            if self._read_or_warn(step, "not suggesting checkpoint"):
                return f"use inference.checkpoint={step}, which is intact"
        return "restore a copy"


def _is_late(error: "sys.UnraisableHookArgs") -> bool:
    """Return whether TensorStore reports another write after Orbax has given up because of one."""
    return str(error.exc_value) == "Event loop is closed"


def _wait_for_all(where: str) -> None:
    """Wait until all processes have reached this point."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(where)


def _listed(steps: list[int]) -> str:
    return f"step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}"
