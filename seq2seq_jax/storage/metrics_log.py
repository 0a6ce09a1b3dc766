"""Metrics on disk: JSON lines for programs, TensorBoard events for people."""

import json
import logging
import os
import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tensorboardX import summary
from tensorboardX.proto import event_pb2

from seq2seq_jax.data.readers.tfrecord import tfrecord
from seq2seq_jax.storage.trackers import Tracker
from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import explain_write_errors
from seq2seq_jax.utils.parsing import parse_json

_log = logging.getLogger(__name__)

CHANGES = "run/changes"
"""The name under which the metrics hold what changed when a run resumed."""


class MetricWriter:
    """Appends to `WORKDIR/metrics.jsonl` and to TensorBoard events in the workdir.

    Trackers in the list `trackers` receive the same numbers and texts.

    Each call writes one line `{"step": 100, "train/loss": 3.2}`, which is on disk when the call
    returns. The methods are named as in `clu.metric_writers`.
    """

    def __init__(self, workdir: str | Path, resume_step: int) -> None:
        """Create the files if necessary.

        Args:
          workdir: The run's directory.
          resume_step: The step from which the run resumes, 0 for a new one. Lines of later steps
            are removed, because the run writes them again.

        Raises:
          UserError: The files cannot be written.
        """
        self.trackers: list[Tracker] = []
        self._path = metrics_file(workdir)
        with explain_write_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _truncate(self._path, resume_step)
        now, host = int(time.time()), socket.gethostname()
        name = f"events.out.tfevents.{now:010}.{host}.{os.getpid()}"
        self._events_file = self._path.with_name(name)
        # TensorBoard hides the events of earlier processes from this step on.
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        version = event_pb2.Event(file_version="brain.Event:2")
        self._write_events(resume_step + 1, [version, event_pb2.Event(session_log=start)])

    def write_scalars(self, step: int, scalars: Mapping[str, Any]) -> None:
        """Write numbers.

        Args:
          step: Number of steps done.
          scalars: Numbers, or arrays of one element, by name.

        Raises:
          UserError: The files cannot be written.
        """
        values = {name: float(value) for name, value in scalars.items()}
        self._append(step, values)
        summaries = [summary.scalar(name, value) for name, value in values.items()]
        self._write_events(step, [event_pb2.Event(summary=one) for one in summaries])
        for tracker in self.trackers:
            tracker.log_scalars(step, values)

    def write_texts(self, step: int, texts: Mapping[str, str]) -> None:
        """Write texts, such as samples.

        Args:
          step: Number of steps done.
          texts: Texts by name.

        Raises:
          UserError: The files cannot be written.
        """
        self._append(step, texts)
        # TensorBoard renders Markdown; the indentation keeps line breaks.
        indented = {name: "    " + text.replace("\n", "\n    ") for name, text in texts.items()}
        summaries = [summary.text(name, text) for name, text in indented.items()]
        self._write_events(step, [event_pb2.Event(summary=one) for one in summaries])
        for tracker in self.trackers:
            tracker.log_texts(step, texts)

    def _append(self, step: int, values: Mapping[str, object]) -> None:
        line = json.dumps({"step": int(step), **values}, ensure_ascii=False)
        with explain_write_errors(self._path), open(self._path, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _write_events(self, step: int, events: Iterable[Any]) -> None:
        """Append TensorBoard's records, as TFRecord files have them.

        `tensorboardX.SummaryWriter` writes in a thread, which dies when the disk is full. Later
        calls then wait for it forever.
        """
        records = []
        for event in events:
            event.step, event.wall_time = int(step), time.time()
            records.append(tfrecord(event.SerializeToString()))
        with explain_write_errors(self._events_file), open(self._events_file, "ab") as file:
            file.write(b"".join(records))


def metrics_file(workdir: str | Path) -> Path:
    """Return the file with the JSON lines of a run.

    Args:
      workdir: The run's directory.
    """
    return Path(workdir) / "metrics.jsonl"


def read_metrics(workdir: str | Path) -> list[dict[str, Any]]:
    """Read `WORKDIR/metrics.jsonl`.

    A last line that a killed process left incomplete is skipped. Another line that is not a JSON
    object with a step is skipped with a warning, because the file is only a log.

    Args:
      workdir: The run's directory.

    Returns:
      All lines; none if there is no such file.
    """
    path = metrics_file(workdir)
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    entries = []
    for number, line in enumerate(lines[:-1], start=1):  # what follows the last "\n" is incomplete
        try:
            entry = parse_json(line, str(path))
            entries.append({**entry, "step": int(entry["step"])})
        except (UserError, ValueError, TypeError, KeyError, OverflowError):
            what = "not a JSON object with a step, so it is left out"
            _log.warning("%s:%d: %s", path, number, what)
    return entries


def _truncate(path: Path, last_step: int) -> None:
    """Remove the lines of later steps and an incomplete line, in one atomic replacement."""
    kept = [entry for entry in read_metrics(path.parent) if entry["step"] <= last_step]
    text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in kept)
    if path.exists():
        with atomic_replace(path) as rewritten:
            rewritten.write_text(text, encoding="utf-8")
