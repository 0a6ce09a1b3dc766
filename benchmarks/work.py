"""One measurement by its name, in a process of its own, so that its peak of memory is its own.

The processes that measure, ours and those of other frameworks, all begin with `measure_one`, which
prints one JSON line; `run_in_process` starts them. Python and numpy alone.
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
"""Width of the beam by name."""


class Work(NamedTuple):
    """
    Attributes:
      case: its name.
      seconds: about how long it is timed.
      data: parallel files, for the case of real lengths.
    """

    case: str
    mode: str
    batch_size: int
    seconds: float = 15
    data: tuple[str, ...] = ()


def all_work(
    cases: Sequence[str], modes: Sequence[str], seconds: float = 15, data: tuple[str, ...] = ()
) -> list[Work]:
    """Training at the batch size of each case, decoding one sentence and 32 at once."""
    return [
        Work(case, mode, batch_size, seconds, data)
        for case in cases
        for mode in modes
        for batch_size in ((CASES[case].batch_size,) if mode == "train" else (1, 32))
        if case != REAL or mode == "train"
    ]


def train_batches(work: Work, ids: SpecialIds) -> list[Batch]:
    """What a toolkit trains on: with real lengths, sentences of one length together."""
    case = CASES[work.case]
    if work.case == REAL:
        return sorted_batches(case, real_pairs(case, work.data), ids)
    return make_batches(case, ids)


def training_work(work: Work, batches: Sequence[Batch]) -> dict[str, float]:
    """How much there is to compute in a step, padding included."""
    return {"step_gflop": round(train_flops(CASES[work.case], batches) / 1e9, 4)}


def measure_one(peer: str, measure: Callable[[Work], Mapping[str, Any]]) -> None:
    """The main program of a process that measures: `CASE:MODE:BATCH [--seconds N] [--data S T]`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work", help="CASE:MODE:BATCH")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--data", nargs=2, default=())
    arguments = parser.parse_args()
    case, mode, batch_size = arguments.work.split(":")
    work = Work(case, mode, int(batch_size), arguments.seconds, tuple(arguments.data))
    print(json.dumps(described(peer, work, measure(work))))


def described(peer: str, work: Work, results: Mapping[str, Any]) -> dict[str, Any]:
    """The line of a measurement that was made in this process."""
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
    """Runs `module` of another process, kept to so many processors.

    Args:
      python: the interpreter.
      paths: where it finds this package, if it is not installed there.

    Returns:
      the line that it printed; or, if it failed, one that says so in `error`.
    """
    command = [python, "-W", "ignore", "-m", module, f"{work.case}:{work.mode}:{work.batch_size}"]
    command += ["--seconds", str(work.seconds)]
    if work.data:
        command += ["--data", *work.data]
    known = {"peer": peer, "case": work.case, "mode": work.mode, "batch": work.batch_size}
    return {**known, "threads": threads, **run_json(command, threads, paths)}


def run_json(command: Sequence[str], threads: int, paths: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON object in the last line that a command prints; or `error`, its last complaint."""
    with kept_to(threads):
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(threads, paths),
        )
    output, complaints = process.communicate()
    try:
        return json.loads(output.strip().rpartition("\n")[2])
    except ValueError:
        lines = complaints.strip().splitlines() or [f"exit status {process.returncode}"]
        return {"error": lines[-1]}


def environment(threads: int, paths: Sequence[str] = ()) -> dict[str, str]:
    """Of a process that measures: so many threads in libraries that do not look at processors."""
    counts = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    given = {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}
    return {**os.environ, **dict.fromkeys(counts, str(threads)), **given}


@contextmanager
def kept_to(threads: int) -> Iterator[None]:
    """Processes that are started meanwhile have so many processors for good (on Linux)."""
    processors = usable_processors()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, processors[:threads])
    try:
        yield
    finally:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, processors)


def say(text: str) -> None:
    """Prints on stderr: stdout is for results alone."""
    print(text, file=sys.stderr, flush=True)


def usable_processors() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
