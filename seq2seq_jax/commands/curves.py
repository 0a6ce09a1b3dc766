"""Draws how runs learned."""

import argparse
from pathlib import Path

from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "draw the learning curves of one or several runs, as a picture and as a page"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workdirs", nargs="+", metavar="WORKDIR", help="folder of a run")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="the picture, .png or .svg; the page has the same name with .html; default:"
        " learning_curve.png in the folder of the run or, of several runs, here",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.reports.learning_curve import plot_learning_curves, write_learning_curves

    if overrides:
        raise UserError(overrides[0][0], "curves reads no configuration; leave it out")
    workdirs = list(dict.fromkeys(arguments.workdirs))
    folder = workdirs[0] if len(workdirs) == 1 else ""
    picture = Path(arguments.output or Path(folder, "learning_curve.png"))
    print(plot_learning_curves(workdirs, picture))
    print(write_learning_curves(workdirs, picture.with_suffix(".html")))
