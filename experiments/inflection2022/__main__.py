"""Train all languages with data of one size, evaluate them, and print the official table.

    python -m experiments.inflection2022 small --jobs 2

The command can be interrupted: the same command resumes.
"""

import argparse
from pathlib import Path

from experiments.inflection2022.sweep import BASELINE_DEV, data_file, select
from experiments.script import run_script
from experiments.shared_tasks import ALL, ensemble_results, print_table, train_all
from seq2seq_jax.data.readers.text_lines import read_lines

METRIC = "sequence_accuracy"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.inflection2022", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("selection", help="small or large, or some languages: small,tur,kor.")
    parser.add_argument("--jobs", type=int, default=2, help="Number of trainings at a time.")
    parser.add_argument(
        "--output", type=Path, default=Path("runs/inflection2022"), help="Directory of the runs."
    )
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Train, evaluate and print.

    Args:
      arguments: The arguments of the command line.
    """
    size, names = select(arguments.selection)
    sweep = Path(__file__).with_name("sweep.py")
    folder = arguments.output / size
    results = train_all(f"{sweep}:{arguments.selection}", folder, arguments.jobs)
    ensembles = ensemble_results(results, folder, "language", METRIC)
    items = {name: sum(1 for _ in read_lines(str(data_file(f"{name}.dev")))) for name in names}
    published = {ALL: BASELINE_DEV[size]} if "," not in arguments.selection else {}
    print_table(results, ensembles, published, "language", METRIC, items)


if __name__ == "__main__":
    run_script(make_parser(), run)
