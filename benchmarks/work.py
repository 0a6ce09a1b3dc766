"""One measurement by name, in its own process, so that its peak memory can be measured.

The main programs of all toolkits call `measure_one`, which prints one JSON line; `run_in_process`
starts them. This module needs Python and numpy only.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from benchmarks.cases import CASES, REAL, Batch, SpecialIds, make_batches, train_flops
from benchmarks.real_lengths import real_pairs, sorted_batches
from benchmarks.timing import peak_rss_mb

MODES = {"train": 0, "greedy": 1, "beam5": 5}
"""Mode -> beam width."""


class Work(NamedTuple):
    """A measurement.

    Attributes:
      case: The name of the case.
      mode: A key of `MODES`.
      batch_size: The number of sentences at a time.
      seconds: The approximate time of the measurement.
      data: Two parallel files for the case of real lengths, or none.
    """

    case: str
    mode: str
    batch_size: int
    seconds: float = 15
    data: tuple[str, ...] = ()


def all_work(
    cases: Sequence[str], modes: Sequence[str], seconds: float = 15, data: tuple[str, ...] = ()
) -> list[Work]:
    """List the measurements: training at each case's batch size, decoding at 1 and 32 sentences.

    Args:
      cases: The names of cases.
      modes: The modes.
      seconds: The seconds for each.
      data: Two parallel files for the case of real lengths, or none.
    """
    return [
        Work(case, mode, batch_size, seconds, data)
        for case in cases
        for mode in modes
        for batch_size in ((CASES[case].batch_size,) if mode == "train" else (1, 32))
        if case != REAL or mode == "train"
    ]


def train_batches(work: Work, ids: SpecialIds) -> list[Batch]:
    """Return the training batches of a toolkit; those of real lengths are sorted by length.

    Args:
      work: The measurement.
      ids: The ids of the toolkit.
    """
    case = CASES[work.case]
    if work.case == REAL:
        return sorted_batches(case, real_pairs(case, work.data), ids)
    return make_batches(case, ids)


def training_work(work: Work, batches: Sequence[Batch]) -> dict[str, float]:
    """Return the operations of a training step, including padding.

    Args:
      work: The measurement.
      batches: Its batches.
    """
    return {"step_gflop": round(train_flops(CASES[work.case], batches) / 1e9, 4)}


def measure_one(peer: str, measure: Callable[[Work], Mapping[str, Any]]) -> None:
    """Run the main program of a toolkit: `CASE:MODE:BATCH [--seconds N] [--data S T]`.

    Args:
      peer: The name of the toolkit.
      measure: Makes the measurement.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("work", help="CASE:MODE:BATCH")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--data", nargs=2, default=())
    arguments = parser.parse_args()
    case, mode, batch_size = arguments.work.split(":")
    work = Work(case, mode, int(batch_size), arguments.seconds, tuple(arguments.data))
    print(json.dumps(measurement_line(peer, work, measure(work))))


def measurement_line(peer: str, work: Work, results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the line of a measurement that was made in this process.

    Args:
      peer: The name of the toolkit.
      work: The measurement.
      results: Its results.
    """
    return {
        "peer": peer,
        "case": work.case,
        "mode": work.mode,
        "feed": 1,
        "batch": work.batch_size,
        "threads": len(usable_processors()),
        "peak_rss_mb": peak_rss_mb(),
        **results,
        "load1": round(os.getloadavg()[0], 2),
    }


def run_in_process(
    peer: str, python: str, module: str, work: Work, threads: int, paths: Sequence[str] = ()
) -> dict[str, Any]:
    """Run a main program in another process that is limited to a number of processors.

    Args:
      peer: The name of the toolkit.
      python: The interpreter.
      module: The main program.
      work: The measurement.
      threads: The number of processors.
      paths: Where the interpreter finds the package `benchmarks`.

    Returns:
      The line that it printed or, if it failed, a line with `error`.
    """
    command = [python, "-W", "ignore", "-m", module, f"{work.case}:{work.mode}:{work.batch_size}"]
    command += ["--seconds", str(work.seconds)]
    if work.data:
        command += ["--data", *work.data]
    known = {"peer": peer, "case": work.case, "mode": work.mode, "batch": work.batch_size}
    return {**known, "threads": threads, **run_json(command, threads, paths)}


def run_json(command: Sequence[str], threads: int, paths: Sequence[str] = ()) -> dict[str, Any]:
    """Return the JSON object in the last line of a command's output.

    Args:
      command: The command.
      threads: The number of processors.
      paths: Entries of PYTHONPATH, if any.

    Returns:
      The object or, if the command failed, `error` with its last line on standard error.
    """
    with limit_processors(threads):
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(threads, paths),
        )
    output, errors = process.communicate()
    try:
        return json.loads(output.strip().rpartition("\n")[2])
    except ValueError:
        lines = errors.strip().splitlines() or [f"exit status {process.returncode}"]
        return {"error": lines[-1]}


def environment(threads: int, paths: Sequence[str] = ()) -> dict[str, str]:
    """Return the environment of a measurement, which sets the thread counts of libraries.

    Args:
      threads: The number of threads.
      paths: Entries of PYTHONPATH, if any.
    """
    counts = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    given = {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}
    return {**os.environ, **dict.fromkeys(counts, str(threads)), **given}


@contextmanager
def limit_processors(threads: int) -> Iterator[None]:
    """Limit the processors of the processes that are started in this context (on Linux).

    Args:
      threads: The number of processors.
    """
    processors = usable_processors()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, processors[:threads])
    try:
        yield
    finally:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, processors)


def say(text: str) -> None:
    """Print to standard error; standard output is for results.

    Args:
      text: The line.
    """
    print(text, file=sys.stderr, flush=True)


def usable_processors() -> list[int]:
    """Return the numbers of the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
