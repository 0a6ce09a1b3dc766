"""The command `sweep`."""

import argparse
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_jax.commands.run_arguments import add_trust
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError, quantity

if TYPE_CHECKING:
    from seq2seq_jax.sweeps.definition import SweepFile
    from seq2seq_jax.sweeps.scheduler import Scheduler
    from seq2seq_jax.sweeps.trials import Training

HELP = "Train and evaluate one model for each combination of the factors of a sweep file."
EXAMPLES = (
    "sweep experiments/cell/sweep.py --dry-run",
    "sweep experiments/cell/sweep.py --jobs=2 --config.train_steps=200",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    parser.add_argument(
        "file", metavar="FILE", help="A Python file with get_sweep(), as FILE or FILE:ARGUMENT."
    )
    add_trust(parser)
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
    """Run the sweep, and print the file of results.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    _check(arguments)
    from seq2seq_jax.sweeps.definition import load_sweep
    from seq2seq_jax.sweeps.local_runner import assign_gpus, run_locally
    from seq2seq_jax.sweeps.results import FAILED, FILE_NAME
    from seq2seq_jax.sweeps.run_sweep import Runner, run_sweep
    from seq2seq_jax.utils.file_lock import file_lock

    file = load_sweep(arguments.file, overrides, arguments.trust_custom_code)
    folder = Path(arguments.output or Path("runs", file.name))
    make_scheduler = (_prepare_search if arguments.search else _prepare_grid)(
        arguments, file, folder
    )
    if make_scheduler is None:
        return
    storage_errors: AbstractContextManager[None] = nullcontext()
    if arguments.search:
        from seq2seq_jax.sweeps.optuna_search import explain_storage_errors

        storage_errors = explain_storage_errors(folder)
    runner: Runner = run_locally
    if arguments.ray:
        from seq2seq_jax.sweeps.ray_runner import make_ray_runner

        runner = make_ray_runner(arguments.ray, arguments.ray_cpus, arguments.ray_gpus)
    else:
        assign_gpus(0, arguments.jobs)
    with file_lock(folder / "lock", "another sweep"), storage_errors:
        ended, results = run_sweep(make_scheduler(), file, folder, arguments.jobs, runner)
    print(folder / FILE_NAME)
    failed = [result["trial"] for result in results if result["status"] == FAILED]
    if not ended:
        raise UserError(str(folder), "stopped by a signal; run the same command to resume")
    if failed:
        names = ", ".join(failed[:3]) + (", ..." if len(failed) > 3 else "")
        what = f"{len(failed)} of {quantity(len(results), 'trial')} failed ({names})"
        raise UserError(str(folder / FILE_NAME), f"{what}; run the same command to retry them")


def _prepare_grid(
    arguments: argparse.Namespace, file: "SweepFile", folder: Path
) -> "Callable[[], Scheduler] | None":
    """Check a sweep over all combinations; return what makes its scheduler, None for a dry run."""
    from seq2seq_jax.sweeps.run_sweep import preflight_check
    from seq2seq_jax.sweeps.scheduler import GridScheduler, reuse_trainings, unfinished_trainings
    from seq2seq_jax.sweeps.trials import grid_trainings
    from seq2seq_jax.utils.logging import say

    trainings = grid_trainings(file)
    if arguments.dry_run:
        _list_trials(trainings, folder)
        return None
    preflight_check(trainings, folder)

    def make_scheduler() -> "Scheduler":
        unfinished = unfinished_trainings(trainings, folder)
        reused = reuse_trainings(unfinished, folder, arguments.reuse)
        if reused:
            say(f"Reusing {quantity(reused, 'training')} of other sweeps")
        return GridScheduler(unfinished)

    return make_scheduler


def _prepare_search(
    arguments: argparse.Namespace, file: "SweepFile", folder: Path
) -> "Callable[[], Scheduler] | None":
    """Check a search; return what makes its scheduler, None for a dry run."""
    from seq2seq_jax.config.metric_results import metric_results
    from seq2seq_jax.sweeps.optuna_search import OptunaScheduler
    from seq2seq_jax.sweeps.run_sweep import preflight_check
    from seq2seq_jax.sweeps.trials import preflight_trainings

    trainings = preflight_trainings(file)
    config = trainings[0].config
    metric = arguments.metric or config.best_metric
    names, complete = metric_results(config)
    if complete and names and metric not in names:
        what = f"must be a result of metrics, one of: {', '.join(names)}; got {metric}"
        raise UserError("--metric", what)
    if arguments.dry_run:
        for name, factor in file.sweep.factors.items():
            print(f"{name}: {factor}")
        points = quantity(arguments.trials, "point")
        print(f"{points} with seeds {[*file.sweep.seeds]}, optimizing {metric}")
        return None
    preflight_check(trainings[:1], folder)
    return lambda: OptunaScheduler(
        file, folder, arguments.search, arguments.trials, metric, names.get(metric, False)
    )


def _list_trials(trainings: "Sequence[Training]", folder: Path) -> None:
    from seq2seq_jax.sweeps.scheduler import describe_state, finished_trials
    from seq2seq_jax.sweeps.trials import config_digest

    done = finished_trials(folder)
    rows = []
    for training in trainings:
        for trial in training.trials:
            finished = done.get(trial.name) == config_digest(trial.config)
            state = "finished" if finished else describe_state(training, folder)
            changed = "  ".join(f"{key}={value}" for key, value in trial.overrides.items())
            rows.append((trial.name, state, changed))
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:2]]
    for name, state, changed in rows:
        print(f"{name:<{widths[0]}}  {state:<{widths[1]}}  {changed}".rstrip())
    counts = f"{quantity(len(rows), 'trial')}, {quantity(len(trainings), 'training')}"
    print(f"{counts}; workdirs in {folder}")


def _check(arguments: argparse.Namespace) -> None:
    """Check that the flags fit together."""
    if arguments.jobs < 1:
        raise UserError("--jobs", f"must be at least 1; got {arguments.jobs}")
    if arguments.search and (arguments.trials is None or arguments.trials < 1):
        raise UserError("--trials", "a search needs a number of points; use --trials=20")
    for name in ("trials", "metric"):
        if getattr(arguments, name) is not None and not arguments.search:
            raise UserError(f"--{name}", "needs a search; add --search=random or --search=bayes")
    if arguments.search and arguments.reuse:
        raise UserError("--reuse", "cannot be combined with --search")
