"""Trackers: records of a run in Weights & Biases or in a store of MLflow.

`MetricWriter` is the one interface through which training reports; it passes what it writes on to a
tracker. `WORKDIR/tracking.json` holds the identifier of the record, so that a resumed run continues
the same one.
"""

import html
import importlib.util
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from seq2seq_jax.config.tracking_config import TrackingConfig
from seq2seq_jax.utils.archives import one_line
from seq2seq_jax.utils.atomic_io import atomic_write
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.installation import install_command
from seq2seq_jax.utils.integrity import read_json_object

_log = logging.getLogger(__name__)
_MODULES = {"wandb": ("wandb",), "mlflow": ("mlflow", "sqlalchemy", "alembic")}
_MAX_PARAMETER = 500
"""Characters of a value that all servers of MLflow accept; config.json has the whole values."""


class Tracker(Protocol):
    """A record of a run."""

    def log_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        """Record numbers of a step."""

    def log_texts(self, step: int, texts: Mapping[str, str]) -> None:
        """Record texts of a step, such as samples."""

    def log_file(self, path: Path) -> None:
        """Record a file, such as a plot."""

    def finish(self, failed: bool) -> None:
        """Complete the record; a resumed run opens it again."""


def check_tracking(backend: str) -> None:
    """Check that the packages of a tracker are installed.

    Args:
      backend: The value of `tracking.backend`.

    Raises:
      UserError: A package is missing.
    """
    for name in _MODULES.get(backend, ()):
        if importlib.util.find_spec(name) is None:
            what = f"is {backend}, which needs the package {name}; use {install_command(backend)}"
            raise UserError("tracking.backend", what)


def open_tracker(
    config: TrackingConfig, workdir: Path, values: Mapping[str, object]
) -> Tracker | None:
    """Open the record of a run, a new one or the one that the run has.

    Args:
      config: The keys `tracking.*`.
      workdir: The run's directory.
      values: The configuration of the run: dotted keys and values.

    Returns:
      The tracker; None without a backend.

    Raises:
      UserError: The record cannot be opened.
    """
    if not config.backend:
        return None
    check_tracking(config.backend)
    make: Callable[[TrackingConfig, Path, Mapping[str, object], str], Tracker]
    make = WandbTracker if config.backend == "wandb" else MlflowTracker
    try:
        return _Guarded(make(config, workdir, values, _identifier(workdir, config.backend)))
    except UserError:
        raise
    except Exception as error:  # Packages and servers of others can fail in any way.
        what = f"is {config.backend}, which cannot be started ({one_line(error)})"
        remedy = "use tracking.offline=true" if config.backend == "wandb" else "check tracking.uri"
        raise UserError("tracking.backend", f"{what}; {remedy}") from error


class WandbTracker:
    """A run of Weights & Biases, whose files are in `WORKDIR/wandb`."""

    def __init__(
        self, config: TrackingConfig, workdir: Path, values: Mapping[str, object], identifier: str
    ) -> None:
        """Start or resume the run.

        Args:
          config: The keys `tracking.*`.
          workdir: The run's directory.
          values: The configuration of the run.
          identifier: The identifier of the record; empty: a new one.
        """
        import wandb

        self._wandb, self._workdir = wandb, workdir
        identifier = identifier or secrets.token_hex(4)
        # Offline, `resume` has no effect; the identifier makes `wandb sync` join the parts.
        self._run = wandb.init(
            project=config.project,
            name=config.name or workdir.resolve().name,
            group=config.group or None,
            id=identifier,
            resume=None if config.offline else "allow",
            mode="offline" if config.offline else None,
            dir=workdir,
            config=dict(values),
            settings=wandb.Settings(silent=True, console="off", disable_git=True),
        )
        self._run.define_metric("*", step_metric="step")
        _write_identifier(workdir, "wandb", identifier)

    def log_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        """Record numbers of a step."""
        self._run.log({"step": step, **scalars})

    def log_texts(self, step: int, texts: Mapping[str, str]) -> None:
        """Record texts of a step as HTML."""
        pages = {k: self._wandb.Html(f"<pre>{html.escape(v)}</pre>") for k, v in texts.items()}
        self._run.log({"step": step, **pages})

    def log_file(self, path: Path) -> None:
        """Record a file of the workdir."""
        self._run.save(str(path.resolve()), base_path=str(self._workdir.resolve()), policy="now")

    def finish(self, failed: bool) -> None:
        """Write everything, and end the process of Weights & Biases."""
        self._run.finish(exit_code=int(failed))


class MlflowTracker:
    """A run in a store of MLflow."""

    def __init__(
        self, config: TrackingConfig, workdir: Path, values: Mapping[str, object], identifier: str
    ) -> None:
        """Start or resume the run.

        Args:
          config: The keys `tracking.*`.
          workdir: The run's directory.
          values: The configuration of the run.
          identifier: The identifier of the record; empty: a new one.
        """
        from mlflow import MlflowClient
        from mlflow.entities import Param

        uri = config.uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
        if uri.startswith("sqlite:///"):
            Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        self._client = MlflowClient(tracking_uri=uri)
        if identifier:
            self._client.update_run(identifier, status="RUNNING")
            self._id = identifier
        else:
            experiment = self._client.get_experiment_by_name(config.project)
            self._id = self._client.create_run(
                experiment.experiment_id
                if experiment
                else self._client.create_experiment(config.project),
                run_name=config.name or workdir.resolve().name,
                tags={"group": config.group} if config.group else {},
            ).info.run_id
            short = [Param(key, str(value)[:_MAX_PARAMETER]) for key, value in values.items()]
            for start in range(0, len(short), 100):  # The largest number in one request.
                self._client.log_batch(self._id, params=short[start : start + 100])
            _write_identifier(workdir, "mlflow", self._id)

    def log_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        """Record numbers of a step."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(name, value, now, step) for name, value in scalars.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def log_texts(self, step: int, texts: Mapping[str, str]) -> None:
        """Record texts of a step as files."""
        for name, text in texts.items():
            self._client.log_text(self._id, text, f"{name}/{step:08}.txt")

    def log_file(self, path: Path) -> None:
        """Record a file of the workdir."""
        self._client.log_artifact(self._id, str(path))

    def finish(self, failed: bool) -> None:
        """Set the status of the run."""
        self._client.set_terminated(self._id, "FAILED" if failed else "FINISHED")


class _Guarded:
    """A tracker that is given up, with a warning, when it fails: training continues."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker: Tracker | None = tracker

    def log_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        self._try(lambda tracker: tracker.log_scalars(step, scalars))

    def log_texts(self, step: int, texts: Mapping[str, str]) -> None:
        self._try(lambda tracker: tracker.log_texts(step, texts))

    def log_file(self, path: Path) -> None:
        self._try(lambda tracker: tracker.log_file(path))

    def finish(self, failed: bool) -> None:
        self._try(lambda tracker: tracker.finish(failed))

    def _try(self, action: Callable[[Tracker], None]) -> None:
        if self._tracker is None:
            return
        try:
            action(self._tracker)
        except Exception as error:
            _log.warning("tracking ends, and training continues: %s", one_line(error))
            self._tracker = None


def _identifier(workdir: Path, backend: str) -> str:
    file = workdir / "tracking.json"
    return str(read_json_object(file).get(backend, "")) if file.exists() else ""


def _write_identifier(workdir: Path, backend: str, identifier: str) -> None:
    file = workdir / "tracking.json"
    known: dict[str, Any] = read_json_object(file) if file.exists() else {}
    atomic_write(file, (json.dumps({**known, backend: identifier}) + "\n").encode())
