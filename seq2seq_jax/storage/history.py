"""The history of a run: from which run it started, and which keys changed at which step.

`WORKDIR/history.json` holds a list of events and a checksum. A run that was neither started from
another one nor changed has no such file.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq_jax.utils.atomic_io import atomic_write
from seq2seq_jax.utils.integrity import read_json_object, seal, verify_seal


def history_file(workdir: Path) -> Path:
    """Return the file with the history of a run.

    Args:
      workdir: The run's directory.
    """
    return workdir / "history.json"


def read_history(workdir: Path) -> list[dict[str, Any]]:
    """Read and verify the history of a run.

    Args:
      workdir: The run's directory.

    Returns:
      The events in their order, each with `event` ("initialized" or "changed"), `step` and `time`;
      none if there is no file.

    Raises:
      UserError: The file is damaged.
    """
    file = history_file(workdir)
    if not file.exists():
        return []
    values = read_json_object(file)
    verify_seal(values, str(file))
    return list(values["events"])


def append_event(workdir: Path, event: str, step: int, details: Mapping[str, object]) -> None:
    """Append an event to the history of a run, unless it repeats the last one.

    Args:
      workdir: The run's directory.
      event: The kind of event.
      step: Number of steps done.
      details: What else is known, as JSON.

    Raises:
      UserError: The file is damaged, or cannot be written.
    """
    events = read_history(workdir)
    new = {"event": event, "step": int(step), **json.loads(json.dumps(details))}
    if events and {name: value for name, value in events[-1].items() if name != "time"} == new:
        return
    values = seal({"events": [*events, {**new, "time": time.time()}]})
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    atomic_write(history_file(workdir), text.encode())


def changed_since(workdir: Path, step: int) -> set[str]:
    """Return the dotted keys that changed at this step or later.

    Args:
      workdir: The run's directory.
      step: Number of steps done.

    Raises:
      UserError: The history is damaged.
    """
    return {
        key
        for event in read_history(workdir)
        if event["event"] == "changed" and event["step"] >= step
        for key in event["changes"]
    }
