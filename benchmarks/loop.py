"""The overhead of the training loop over the bare step, and the time until the first step.

`seq2seq-jax train` is run as a user runs it, and the times of its log lines are recorded. The bare
step is timed on the same batches in its own process; its metrics are fetched as often as the loop
logs them. All sentences are padded to one shape, so that every step is the same work.
"""

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.cases import CASES, Case, make_pairs
from benchmarks.work import environment, limit_processors, run_json

LOG_EVERY = 50
"""Steps between two log lines."""
_PAIRS = 2000


def measure_loop(name: str, threads: int, steps: int = 250, rounds: int = 3) -> dict[str, Any]:
    """Measure the loop and the bare step in turn; the times are medians over all rounds.

    Args:
      name: The name of the case.
      threads: The number of threads.
      steps: The steps of each run; the first `LOG_EVERY` do not count.
      rounds: The number of rounds.

    Returns:
      The line of the measurement.

    Raises:
      RuntimeError: A run failed. The message is its last line on standard error.
    """
    case = CASES[name]
    loop: list[float] = []
    bare: list[float] = []
    with TemporaryDirectory(prefix="seq2seq_jax_loop_") as folder:
        config = _write_config(Path(folder), name, case)
        cache = str(Path(folder) / "cache")
        cold = _seconds_to_first_step(config, f"{folder}/cold", cache, threads)
        warm = [
            _seconds_to_first_step(config, f"{folder}/warm{number}", cache, threads)
            for number in range(rounds)
        ]
        for number in range(rounds):
            moments = dict(_log_moments(config, f"{folder}/run{number}", cache, threads, steps))
            loop += _seconds_per_step(moments)
            command = [sys.executable, "-m", "benchmarks.bare_step", str(config)]
            printed = run_json([*command, str(steps)], threads)
            if "error" in printed:
                raise RuntimeError(printed["error"])
            bare += _seconds_per_step({int(step): moment for step, moment in printed.items()})
    loop_s, bare_s = statistics.median(loop), statistics.median(bare)
    return {
        "peer": "seq2seq_jax",
        "case": name,
        "mode": "loop",
        "batch": case.batch_size,
        "threads": threads,
        "loop_step_s_median": round(loop_s, 5),
        "bare_step_s_median": round(bare_s, 5),
        "overhead_percent": round(100 * (loop_s / bare_s - 1), 2),
        "cold_start_s": round(cold, 2),
        "warm_start_s_median": round(statistics.median(warm), 2),
        "reps": len(loop),
    }


def _seconds_per_step(moments: dict[int, float]) -> list[float]:
    """Return the seconds per step of each interval between two log lines."""
    steps = sorted(moments)
    return [(moments[b] - moments[a]) / (b - a) for a, b in pairwise(steps)]


def _seconds_to_first_step(config: Path, workdir: str, cache: str, threads: int) -> float:
    started = time.perf_counter()
    moments = dict(_log_moments(config, workdir, cache, threads, 1))
    return moments[1] - started


def _log_moments(
    config: Path, workdir: str, cache: str, threads: int, steps: int
) -> Iterator[tuple[int, float]]:
    """Train, and yield each logged step with its time."""
    command = [sys.executable, "-m", "seq2seq_jax", "train", f"--config={config}"]
    command += [f"--workdir={workdir}", f"--config.train_steps={steps}"]
    # A separate cache distinguishes a cold start from a warm one.
    settings = {**environment(threads), "SEQ2SEQ_JAX_CACHE": cache}
    settings.pop("JAX_COMPILATION_CACHE_DIR", None)
    with limit_processors(threads):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=settings)
    assert process.stderr is not None
    last = ""
    with process:
        for last in process.stderr:
            if found := re.match(r"step (\d+)/\d+\W+loss", last):
                yield int(found[1]), time.perf_counter()
    if process.returncode:
        raise RuntimeError(last.strip())


def _write_config(folder: Path, name: str, case: Case) -> Path:
    for side, pairs in zip(
        ("source", "target"), zip(*make_pairs(case, _PAIRS, seed=0), strict=True), strict=True
    ):
        lines = (" ".join(f"w{number}" for number in words) + "\n" for words in pairs)
        (folder / side).write_text("".join(lines))
    files = {f"{side}_files": str(folder / side) for side in ("source", "target")}
    path = folder / f"case_{name}.py"
    path.write_text(
        "from benchmarks.cases import CASES\n"
        "from benchmarks.training import case_config\n\n\n"
        "def get_config():\n"
        f"    config = case_config(CASES[{name!r}])\n"
        f"    config.input_pipeline_train.params = {json.dumps(files)}\n"
        f"    config.buckets = '{case.longest + 1}'\n"
        f"    config.log_every_n_steps = {LOG_EVERY}\n"
        "    config.eval_every_n_steps = 0\n"
        "    config.save_checkpoints_secs = 0\n"
        "    return config\n"
    )
    return path
