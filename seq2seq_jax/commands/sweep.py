"""The command `sweep`."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

if TYPE_CHECKING:
    from seq2seq_jax.sweeps.definition import SweepFile
    from seq2seq_jax.sweeps.scheduler import Plan
    from seq2seq_jax.sweeps.trials import Training

HELP = "Train and evaluate one model for each combination of the factors of a sweep file."
EXAMPLES = (
    "sweep experiments/cell/sweep.py --dry-run",
    "sweep experiments/cell/sweep.py --jobs=2 --config.train_steps=200",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="A Python file with get_sweep().")
    parser.add_argument(
        "--output", metavar="DIR", help="The directory of the sweep. The default is runs/NAME."
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="How many trainings run at a time. The default is 1.",
    )
    parser.add_argument("--dry-run", action="store_true", help="List the trials, and run nothing.")
    parser.add_argument(
        "--reuse",
        action="append",
        default=[],
        metavar="DIR",
        type=Path,
        help="The directory of another sweep, whose finished trainings are reused.",
    )
    parser.add_argument(
        "--search",
        choices=("random", "bayes"),
        help="Let Optuna choose the trials instead of running all combinations.",
    )
    parser.add_argument("--trials", type=int, metavar="N", help="How many points the search draws.")
    parser.add_argument(
        "--metric",
        metavar="NAME",
        help="The metric that the search optimizes. The default is best_metric.",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        nargs="?",
        const="local",
        help="Run on the Ray cluster at this address (auto: the running one). Without an address,"
        " run Ray on this machine.",
    )
    for unit, default in (("cpus", 1.0), ("gpus", 0.0)):
        parser.add_argument(
            f"--ray-{unit}",
            type=float,
            default=default,
            metavar="N",
            help=f"{unit.upper()[:-1]}s of each training under Ray. The default is %(default)g.",
        )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.sweeps.definition import load_sweep
    from seq2seq_jax.sweeps.local_runner import gpus_of, run_locally
    from seq2seq_jax.sweeps.results import FAILED, FILE_NAME
    from seq2seq_jax.sweeps.run_sweep import alone_in, run_plan

    _check(arguments)
    file = load_sweep(arguments.file, overrides)
    folder = Path(arguments.output or Path("runs", file.name))
    make_plan = (_search if arguments.search else _grid)(arguments, file, folder)
    if make_plan is None:
        return
    runner = run_locally
    if arguments.ray:
        from seq2seq_jax.sweeps.ray_runner import make_ray_runner

        runner = make_ray_runner(arguments.ray, arguments.ray_cpus, arguments.ray_gpus)
    else:
        gpus_of(0, arguments.jobs)
    with alone_in(folder):
        finished, results = run_plan(make_plan(), file, folder, arguments.jobs, runner)
    print(folder / FILE_NAME)
    failed = [result["trial"] for result in results if result["status"] == FAILED]
    if not finished:
        raise UserError(str(folder), "stopped; the same command goes on from here")
    if failed:
        what = f"{len(failed)} of {len(results)} trials failed ({', '.join(failed[:3])}"
        what += f"{', ...' if len(failed) > 3 else ''}); the same command tries them again"
        raise UserError(str(folder / FILE_NAME), what)


def _grid(
    arguments: argparse.Namespace, file: "SweepFile", folder: Path
) -> "Callable[[], Plan] | None":
    """What makes the plan of all combinations; None if they were only to be listed."""
    from seq2seq_jax.sweeps.run_sweep import check_before, reuse_trainings, unfinished
    from seq2seq_jax.sweeps.scheduler import ListedPlan
    from seq2seq_jax.sweeps.trials import grid
    from seq2seq_jax.utils.logging import say

    trainings = grid(file)
    if arguments.dry_run:
        _list(trainings, folder)
        return None
    check_before(trainings, folder)

    def make_plan() -> "Plan":
        left = unfinished(trainings, folder)
        reused = reuse_trainings(left, folder, arguments.reuse)
        if reused:
            say(f"{reused} trainings are there already, of other sweeps")
        return ListedPlan(left)

    return make_plan


def _search(
    arguments: argparse.Namespace, file: "SweepFile", folder: Path
) -> "Callable[[], Plan] | None":
    """What makes the plan of a search; None if its factors were only to be listed."""
    from seq2seq_jax.config.metric_results import metric_results
    from seq2seq_jax.sweeps.optuna_search import OptunaPlan
    from seq2seq_jax.sweeps.run_sweep import check_before
    from seq2seq_jax.sweeps.trials import corners

    trainings = corners(file)
    config = trainings[0].config
    metric = arguments.metric or config.best_metric
    names, complete = metric_results(config.metrics)
    if complete and names and metric not in names:
        what = f"must be a result of metrics, one of: {', '.join(names)}; got {metric}"
        raise UserError("--metric", what)
    if arguments.dry_run:
        for name, factor in file.sweep.factors.items():
            print(f"{name}: {factor}")
        print(f"{arguments.trials} points with seeds {[*file.sweep.seeds]}, after {metric}")
        return None
    check_before(trainings[:1], folder)
    return lambda: OptunaPlan(
        file, folder, arguments.search, arguments.trials, metric, names.get(metric, False)
    )


def _list(trainings: "Sequence[Training]", folder: Path) -> None:
    from seq2seq_jax.sweeps.run_sweep import finished_trials, state_of
    from seq2seq_jax.sweeps.trials import config_digest

    done = finished_trials(folder)
    rows = []
    for training in trainings:
        for trial in training.trials:
            finished = done.get(trial.name) == config_digest(trial.config)
            state = "finished" if finished else state_of(training, folder)
            changed = "  ".join(f"{key}={value}" for key, value in trial.overrides.items())
            rows.append((trial.name, state, changed))
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:2]]
    for name, state, changed in rows:
        print(f"{name:<{widths[0]}}  {state:<{widths[1]}}  {changed}".rstrip())
    print(f"{len(rows)} trials, {len(trainings)} trainings; workdirs in {folder}")


def _check(arguments: argparse.Namespace) -> None:
    """Raises UserError for flags that do not go together."""
    if arguments.jobs < 1:
        raise UserError("--jobs", f"must be at least 1; got {arguments.jobs}")
    if arguments.search and (arguments.trials is None or arguments.trials < 1):
        raise UserError("--trials", "how many points shall the search draw? --trials=20, say")
    for name in ("trials", "metric"):
        if getattr(arguments, name) is not None and not arguments.search:
            raise UserError(f"--{name}", "is for a search; add --search=random or --search=bayes")
    if arguments.search and arguments.reuse:
        raise UserError("--reuse", "is not for a search; leave it out")
