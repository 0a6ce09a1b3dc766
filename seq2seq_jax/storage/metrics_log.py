"""Metrics on disk: JSON lines for programs, TensorBoard events for the eye."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError


class MetricWriter:
    """Appends to `WORKDIR/metrics.jsonl` and to TensorBoard events in WORKDIR.

    Its methods are named as those of clu.metric_writers. Each call is one line
    `{"step": 100, "train/loss": 3.2}`, on disk when the call returns.

    Args:
      workdir: where the files are.
      resume_step: the step that the run continues from, 0 for a new one. Lines of later steps are
        removed: the run writes them again.
    """

    def __init__(self, workdir: str | Path, resume_step: int):
        self._path = metrics_file(workdir)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _cut(self._path, resume_step)
        self._events = SummaryWriter(str(workdir), purge_step=resume_step + 1)

    def write_scalars(self, step: int, scalars: Mapping[str, Any]) -> None:
        """Writes numbers, or arrays of one element, by name."""
        values = {name: float(value) for name, value in scalars.items()}
        self._append(step, values)
        for name, value in values.items():
            self._events.add_scalar(name, value, step)

    def write_texts(self, step: int, texts: Mapping[str, str]) -> None:
        """Writes texts, such as samples, by name."""
        self._append(step, texts)
        for name, text in texts.items():
            # TensorBoard renders Markdown; indentation keeps the text's own lines.
            self._events.add_text(name, "    " + text.replace("\n", "\n    "), step)

    def flush(self) -> None:
        """Writes out the events that TensorBoard's writer holds back (the lines never are)."""
        self._events.flush()

    def close(self) -> None:
        """Flushes and closes the events."""
        self._events.close()

    def _append(self, step: int, values: Mapping[str, Any]) -> None:
        line = json.dumps({"step": int(step), **values}, ensure_ascii=False)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def metrics_file(workdir: str | Path) -> Path:
    """Where the JSON lines of a workdir are."""
    return Path(workdir) / "metrics.jsonl"


def read_metrics(workdir: str | Path) -> list[dict[str, Any]]:
    """All lines of `WORKDIR/metrics.jsonl`, none if there is no such file.

    A last line that a killed run left unfinished is passed over.

    Raises:
      UserError: another line is not a JSON object with a step.
    """
    path = metrics_file(workdir)
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    read = []
    for number, line in enumerate(lines[:-1], start=1):  # behind the last "\n" nothing is finished
        try:
            entry = json.loads(line)
            entry["step"] = int(entry["step"])
        except (ValueError, TypeError, KeyError):
            raise UserError(f"{path}:{number}", "not a JSON object with a step") from None
        read.append(entry)
    return read


def _cut(path: Path, last_step: int) -> None:
    """Removes the lines of later steps and an unfinished line, in one atomic replacement."""
    kept = [entry for entry in read_metrics(path.parent) if entry["step"] <= last_step]
    text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in kept)
    if path.exists():
        with atomic_replace(path) as rewritten:
            rewritten.write_text(text, encoding="utf-8")
