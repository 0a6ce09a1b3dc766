"""How runs are timed and summarized; needs Python only."""

import math
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Runs(NamedTuple):
    """Timed runs.

    Attributes:
      outputs: What the runs returned, including the first one.
      warm_s: The seconds of the first run.
      wall: The seconds of each other run.
      cpu: The CPU seconds of this process in each other run.
    """

    outputs: list[Any]
    warm_s: float
    wall: list[float]
    cpu: list[float]


def time_runs(run: Callable[[], Any], seconds: float, most: int = 1000) -> Runs:
    """Run once to warm up, then at least twice, until the time or the number of runs is reached.

    Args:
      run: What is timed.
      seconds: The time.
      most: The largest number of runs.
    """
    started = time.perf_counter()
    outputs = [run()]
    runs = Runs(outputs, time.perf_counter() - started, [], [])
    started = time.perf_counter()
    while len(runs.wall) < 2 or (time.perf_counter() - started < seconds and len(runs.wall) < most):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        outputs.append(run())
        runs.wall.append(time.perf_counter() - wall_start)
        runs.cpu.append(time.process_time() - cpu_start)
    return runs


def rates(what: str, count: int, runs: Runs) -> dict[str, float]:
    """Return the rates per second and per CPU second, of the best and the median run.

    Args:
      what: The name of what is counted.
      count: The count of each run.
      runs: The timed runs.
    """
    return {
        f"{what}_s_best": round(count / min(runs.wall), 3),
        f"{what}_s_median": round(count / statistics.median(runs.wall), 3),
        f"{what}_cpus_best": round(count / max(min(runs.cpu), 1e-9), 3),
        f"{what}_cpus_median": round(count / max(statistics.median(runs.cpu), 1e-9), 3),
        "reps": len(runs.wall),
        "warm_s": round(runs.warm_s, 2),
    }


def latencies(runs: Runs) -> dict[str, float]:
    """Return the median and the 99th percentile of a run, in milliseconds.

    Args:
      runs: The timed runs.
    """
    wall = sorted(runs.wall)
    return {
        "run_ms_median": round(1e3 * statistics.median(wall), 3),
        "run_ms_p99": round(1e3 * wall[math.ceil(0.99 * len(wall)) - 1], 3),
    }


def peak_rss_mb() -> int:
    """Return the peak memory of this process in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)
