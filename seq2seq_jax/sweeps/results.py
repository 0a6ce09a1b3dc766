"""Results on disk: a JSON line a trial.

trial          its name; of several lines for one trial the last counts
sweep          the name of the sweep
status         finished or failed
levels, seed   what it was: factor -> level
places         factor -> where the level stands among the factor's in the sweep file; of a list or
               dict
overrides      the keys that differ from the base: key -> value
config_digest  of its whole configuration, which but for `inference` is WORKDIR/config.json
best_metric    the name of the metric by which trials are compared
metrics        name -> value on the dev set
curve          of the training: name -> values, one for each of the steps in "step"
step           of the checkpoint that was evaluated; its `parameters` are counted
seconds        of training (killed processes left out) and of evaluation; cpu_seconds as well
version        of this package, and the commit if it is a checkout; jax: of JAX; processors: used
workdir        of the training, from the folder of the results; outputs: a text file, from there too
published      level -> what others reported, if the sweep says it
error          why it failed, one line
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seq2seq_jax.utils.errors import UserError

Result = dict[str, Any]

FINISHED = "finished"
FAILED = "failed"
FILE_NAME = "results.jsonl"


def read_results(path: str | Path) -> list[Result]:
    """The last line of each trial, in the order in which trials first appear.

    Args:
      path: of a file, or of a folder with a `results.jsonl`.

    Raises:
      UserError: it cannot be read; a line (FILE:LINE) is no result.
    """
    file = Path(path)
    if file.is_dir():
        file /= FILE_NAME
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise UserError(str(file), f"cannot be read ({error.strerror})") from error
    results: dict[str, Result] = {}
    for number, line in enumerate(lines[:-1], start=1):  # behind the last "\n" nothing is finished
        try:
            result = json.loads(line)
            result["status"], result["levels"], result["seed"], result["sweep"]
            results[result["trial"]] = result
        except (ValueError, TypeError, KeyError):
            what = "no result of a trial: a JSON object with trial, sweep, status, levels and seed"
            raise UserError(f"{file}:{number}", what) from None
    return list(results.values())


def read_all(paths: Sequence[str | Path]) -> list[Result]:
    """The results of several files, one after the other; a trial that is in two is taken once.

    Raises:
      UserError: as `read_results`; or two files have different configurations for one trial.
    """
    results: dict[tuple[str, str], Result] = {}
    for path in paths:
        for result in read_results(path):
            name = result["sweep"], result["trial"]
            other = results.setdefault(name, result)
            if other.get("config_digest") != result.get("config_digest"):
                what = f"trial {result['trial']} of {result['sweep']} has another configuration"
                raise UserError(str(path), f"{what} in another of these files; report them apart")
            if other["status"] == FAILED:
                results[name] = result
    return list(results.values())


def append_results(path: Path, results: Iterable[Result]) -> None:
    """Writes lines behind those that are there; they are on disk when it returns.

    A last line that a killed process left unfinished is removed first.
    """
    with open(path, "a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        for result in results:
            file.write(json.dumps(result, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
