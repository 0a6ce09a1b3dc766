"""How runs are timed, and what is said about them; Python alone."""

import math
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Runs(NamedTuple):
    """
    Attributes:
      outputs: what the runs returned, that of the first included.
      warm_s: seconds of the first.
      wall, cpu: of each other run the seconds that passed, and those of CPU time that this process
        used.
    """

    outputs: list[Any]
    warm_s: float
    wall: list[float]
    cpu: list[float]


def timed(run: Callable[[], Any], seconds: float, most: int = 1000) -> Runs:
    """Runs once to warm up, then at least twice, until the seconds or the most runs are over."""
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
    """`count` a second, and a CPU second: the best run and the median one."""
    return {
        f"{what}_s_best": round(count / min(runs.wall), 3),
        f"{what}_s_median": round(count / statistics.median(runs.wall), 3),
        f"{what}_cpus_best": round(count / max(min(runs.cpu), 1e-9), 3),
        f"{what}_cpus_median": round(count / max(statistics.median(runs.cpu), 1e-9), 3),
        "reps": len(runs.wall),
        "warm_s": round(runs.warm_s, 2),
    }


def latencies(runs: Runs) -> dict[str, float]:
    """Milliseconds of a run: the median, and what 99 of 100 stay below."""
    wall = sorted(runs.wall)
    return {
        "run_ms_median": round(1e3 * statistics.median(wall), 3),
        "run_ms_p99": round(1e3 * wall[math.ceil(0.99 * len(wall)) - 1], 3),
    }


def peak_rss_mb() -> int:
    """The most memory that this process has had."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)
