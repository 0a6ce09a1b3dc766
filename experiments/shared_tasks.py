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
) -> None:
    """Print a row for each level and one for the macro average, as a Markdown table.

    Args:
      results: The results of all trials.
      ensembles: Level -> value of the metric of the ensemble.
      published: Level -> published value.
      factor: The factor whose levels are the rows.
      metric: The metric.
    """
    singles = {
        level: [member["metrics"][metric] for member in members]
        for level, members in _by_level(results, factor).items()
    }
    seeds = max(map(len, singles.values()))
    print(f"| {factor} | single models | ensemble of {seeds} | published | CPU seconds |")
    print("|---|---|---|---|---|")
    seconds = {
        level: sum(member["cpu_seconds"] for member in members)
        for level, members in _by_level(results, factor).items()
    }
    for level, values in singles.items():
        row = f"{_mean_and_deviation(values)} | {ensembles[level]:.2f} | {published[level]:.2f}"
        print(f"| {level} | {row} | {seconds[level]:,.0f} |")
    macro = [statistics.mean(column) for column in zip(*singles.values(), strict=True)]
    of_ensembles = statistics.mean(ensembles.values())
    of_published = statistics.mean(published.values())
    row = f"{_mean_and_deviation(macro)} | {of_ensembles:.2f} | {of_published:.2f}"
    print(f"| macro average | {row} | {sum(seconds.values()):,.0f} |")


def _by_level(results: Sequence[Result], factor: str) -> dict[str, list[Result]]:
    levels: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda result: (result["places"][factor], result["seed"])):
        levels.setdefault(result["levels"][factor], []).append(result)
    return levels


def _mean_and_deviation(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"
