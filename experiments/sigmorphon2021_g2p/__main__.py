"""Train all languages of a subtask, combine the seeds to ensembles, and print the official table.

    python -m experiments.sigmorphon2021_g2p low --jobs 2

The command can be interrupted: the same command resumes.
"""

import argparse
import statistics
from pathlib import Path

from experiments.script import run_script
from experiments.shared_tasks import ALL, ensemble_results, print_table, train_all
from experiments.sigmorphon2021_g2p.sweep import BASELINE_DEV, select

METRIC = "sequence_error_rate"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.sigmorphon2021_g2p", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "languages",
        help="A subtask (high, medium or low), or languages of one subtask: dut,hbs_latn.",
    )
    parser.add_argument("--jobs", type=int, default=2, help="Number of trainings at a time.")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("runs/sigmorphon2021_g2p"),
        help="Directory of the runs.",
    )
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Train, evaluate and print.

    Args:
      arguments: The arguments of the command line.
    """
    subtask, names = select(arguments.languages)
    sweep = Path(__file__).with_name("sweep.py")
    folder = arguments.output / subtask
    results = train_all(f"{sweep}:{arguments.languages}", folder, arguments.jobs)
    ensembles = ensemble_results(results, folder, "language", METRIC)
    published = {name: BASELINE_DEV[subtask][name] for name in names}
    published[ALL] = statistics.mean(published.values())  # The task averages over languages.
    print_table(results, ensembles, published, "language", METRIC)


if __name__ == "__main__":
    run_script(make_parser(), run)
