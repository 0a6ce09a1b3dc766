"""Results on disk: one JSON line per trial, with these fields.

trial          the trial's name; the last line of a trial counts
sweep          the sweep's name
status         finished or failed
levels         factor -> level
places         factor -> index of the level in the sweep file; not for ranges
seed           the seed
overrides      key -> value, for the keys that differ from the base
config_digest  digest of the configuration, which except for `inference` is WORKDIR/config.json
best_metric    the metric by which trials are compared
metrics        name -> value on the dev set
curve          name -> values during training, one for each of the steps in "step"
step           the step of the evaluated checkpoint
parameters     the number of parameters
seconds        wall time of training (without killed processes) and of evaluation
cpu_seconds    CPU time, likewise
processors     the number of processors
version        the version of this package, with the commit in a checkout
jax            the version of JAX
workdir        the workdir of the training, relative to the file of results
outputs        the file of outputs, relative to the workdir
published      level -> published result, if the sweep has one
error          why the trial failed, in one line
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import explain_write_errors

Result = dict[str, Any]

FINISHED = "finished"
FAILED = "failed"
FILE_NAME = "results.jsonl"


def read_results(path: str | Path) -> list[Result]:
    """Read the last line of each trial, in the order in which trials first appear.

    Args:
      path: A file, or a directory with a `results.jsonl`.

    Raises:
      UserError: The file cannot be read, or a line of it (FILE:LINE) is not a result.
    """
    file = Path(path)
    if file.is_dir():
        file /= FILE_NAME
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise UserError(str(file), f"cannot be read ({error.strerror})") from error
    results: dict[str, Result] = {}
    for number, line in enumerate(lines[:-1], start=1):  # What follows the last "\n" is incomplete.
        try:
            result = json.loads(line)
            result["status"], result["levels"], result["seed"], result["sweep"]
            results[result["trial"]] = result
        except (ValueError, TypeError, KeyError):
            what = "must be a JSON object with trial, sweep, status, levels and seed"
            raise UserError(f"{file}:{number}", what) from None
    return list(results.values())


def read_result_files(paths: Sequence[str | Path]) -> list[Result]:
    """Read the results of several files; a trial that is in two of them counts once.

    Args:
      paths: Files, or directories with a `results.jsonl`.

    Raises:
      UserError: A file cannot be read, or two files have different configurations for a trial.
    """
    results: dict[tuple[str, str], Result] = {}
    for path in paths:
        for result in read_results(path):
            name = result["sweep"], result["trial"]
            other = results.setdefault(name, result)
            if other.get("config_digest") != result.get("config_digest"):
                what = f"trial {result['trial']} of {result['sweep']} has another configuration"
                raise UserError(
                    str(path), f"{what} in another of these files; report them separately"
                )
            if other["status"] == FAILED:
                results[name] = result
    return list(results.values())


def append_results(path: Path, results: Iterable[Result]) -> None:
    """Append lines to a file of results, and sync it to disk.

    An incomplete last line of a killed process is removed first.

    Args:
      path: The file.
      results: The results.

    Raises:
      UserError: The file cannot be written.
    """
    with explain_write_errors(path), open(path, "a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        for result in results:
            file.write(json.dumps(result, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
