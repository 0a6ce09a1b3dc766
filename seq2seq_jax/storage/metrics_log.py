"""Metrics on disk: JSON lines for programs, TensorBoard events for people."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.parsing import parse_json

_log = logging.getLogger(__name__)


class MetricWriter:
    """Appends to `WORKDIR/metrics.jsonl` and to TensorBoard events in the workdir.

    Each call writes one line `{"step": 100, "train/loss": 3.2}`, which is on disk when the call
    returns. The methods are named as in `clu.metric_writers`.
    """

    def __init__(self, workdir: str | Path, resume_step: int) -> None:
        """Open the files, which are created if necessary.

        Args:
          workdir: The run's directory.
          resume_step: The step from which the run resumes, 0 for a new one. Lines of later steps
            are removed, because the run writes them again.
        """
        self._path = metrics_file(workdir)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _truncate(self._path, resume_step)
        self._events = SummaryWriter(str(workdir), purge_step=resume_step + 1)

    def write_scalars(self, step: int, scalars: Mapping[str, Any]) -> None:
        """Write numbers.

        Args:
          step: Number of steps done.
          scalars: Numbers, or arrays of one element, by name.
        """
        values = {name: float(value) for name, value in scalars.items()}
        self._append(step, values)
        for name, value in values.items():
            self._events.add_scalar(name, value, step)

    def write_texts(self, step: int, texts: Mapping[str, str]) -> None:
        """Write texts, such as samples.

        Args:
          step: Number of steps done.
          texts: Texts by name.
        """
        self._append(step, texts)
        for name, text in texts.items():
            # TensorBoard renders Markdown; the indentation keeps line breaks.
            self._events.add_text(name, "    " + text.replace("\n", "\n    "), step)

    def close(self) -> None:
        """Write the events that are still buffered, and close their file."""
        self._events.close()

    def _append(self, step: int, values: Mapping[str, object]) -> None:
        line = json.dumps({"step": int(step), **values}, ensure_ascii=False)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


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
