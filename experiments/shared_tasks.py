"""What the recipes of shared tasks have in common: train all languages, ensembles, one table."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from seq2seq_jax.cli import main
from seq2seq_jax.config import resolve
from seq2seq_jax.evaluation.run_evaluation import evaluate
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.sweeps.results import FINISHED, Result, append_results, read_results
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import say

ENSEMBLES = "ensembles.jsonl"

ALL = "all"
"""The name of the last row of a table."""


def train_all(sweep: str, folder: Path, jobs: int) -> list[Result]:
    """Run a sweep, or resume it.

    Args:
      sweep: The sweep file, as for `seq2seq-jax sweep`.
      folder: The directory of the sweep.
      jobs: Number of trainings at a time.

    Returns:
      The results of all trials.

    Raises:
      UserError: A training failed or was interrupted.
    """
    if main(["sweep", sweep, f"--output={folder}", f"--jobs={jobs}"]):
        raise UserError(str(folder), "is not complete; run the same command to resume")
    return [result for result in read_results(folder) if result["status"] == FINISHED]


def ensemble_results(
    results: Sequence[Result], folder: Path, factor: str, metric: str
) -> dict[str, float]:
    """Evaluate the ensemble of all seeds of each level, except for those that are done.

    Args:
      results: The results of all trials.
      folder: The directory of the sweep, which gets a file of the ensembles' results.
      factor: The factor whose levels have an ensemble each.
      metric: The metric.

    Returns:
      Level -> value of the metric.
    """
    file = folder / ENSEMBLES
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    known = {tuple(each["members"]): each for each in map(json.loads, lines)}
    values = {}
    for level, members in _by_level(results, factor).items():
        paths = [folder / member["workdir"] for member in members]
        key = tuple(f"{member['trial']} {member['config_digest']}" for member in members)
        if key not in known:
            say(f"Evaluating the ensemble of {level}")
            others = ",".join(str(path.resolve()) for path in paths[1:])
            config = resolve(Workdir(paths[0]).config(), [("inference.ensemble", others)])
            measured = evaluate(paths[0], config, num_samples=0).results
            known[key] = {"level": level, "members": list(key), "metrics": measured}
            append_results(file, [known[key]])
        values[level] = float(known[key]["metrics"][metric])
    return values


def print_table(
    results: Sequence[Result],
    ensembles: Mapping[str, float],
    published: Mapping[str, float],
    factor: str,
    metric: str,
    items: Mapping[str, int] | None = None,
) -> None:
    """Print a row for each level and one for all of them, as a Markdown table.

    Args:
      results: The results of all trials.
      ensembles: Level -> value of the metric of the ensemble.
      published: Level, or ALL -> published value.
      factor: The factor whose levels are the rows.
      metric: The metric.
      items: Level -> number of items, by which the levels count for the last row; None: they count
        equally.
    """
    levels = _by_level(results, factor)
    weights = [1 if items is None else items[level] for level in levels]
    singles = [[one["metrics"][metric] for one in members] for members in levels.values()]
    seconds = [sum(one["cpu_seconds"] for one in members) for members in levels.values()]
    print(f"| {factor} | single models | ensemble of {len(singles[0])} | published | CPU seconds |")
    print("|---|---|---|---|---|")
    rows = list(zip(levels, singles, map(ensembles.__getitem__, levels), seconds, strict=True))
    means = [statistics.fmean(column, weights) for column in zip(*singles, strict=True)]
    rows.append(
        (
            ALL,
            means,
            statistics.fmean([ensembles[level] for level in levels], weights),
            sum(seconds),
        )
    )
    for level, values, ensemble, cost in rows:
        known = f"{published[level]:.2f}" if level in published else "-"
        row = f"{_mean_and_deviation(values)} | {ensemble:.2f} | {known} | {cost:,.0f}"
        print(f"| {level} | {row} |")


def _by_level(results: Sequence[Result], factor: str) -> dict[str, list[Result]]:
    levels: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda result: (result["places"][factor], result["seed"])):
        levels.setdefault(result["levels"][factor], []).append(result)
    return levels


def _mean_and_deviation(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"
