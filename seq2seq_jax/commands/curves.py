"""The command `curves`."""

import argparse
from pathlib import Path

from seq2seq_jax.commands.run_arguments import refuse_overrides
from seq2seq_jax.config.overrides import Overrides

HELP = "Draw the learning curves of one or more runs as an image and as a page."
EXAMPLES = (
    "curves runs/g2p",
    "curves runs/toy_copy runs/toy_reverse --output=toy.png",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    parser.add_argument("workdirs", nargs="+", metavar="WORKDIR", help="The directory of a run.")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="The plot, .png or .svg; the page has the same name with .html. The default is"
        " learning_curve.png: in the run's directory, for several runs in the working one.",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Draw the learning curves, and print the files.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    from seq2seq_jax.reports.learning_curve import plot_learning_curves, write_learning_curves

    refuse_overrides(overrides, "curves reads no configuration; leave it out")
    workdirs = list(dict.fromkeys(arguments.workdirs))
    directory = workdirs[0] if len(workdirs) == 1 else ""
    plot = Path(arguments.output or Path(directory, "learning_curve.png"))
    print(plot_learning_curves(workdirs, plot))
    print(write_learning_curves(workdirs, plot.with_suffix(".html")))
