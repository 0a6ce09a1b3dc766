"""The command `inspect`."""

import argparse

from seq2seq_jax.commands.run_arguments import add_workdir, open_workdir, refuse_overrides
from seq2seq_jax.config.overrides import Overrides

HELP = "Show the step, the parameters, the metrics and the digest of a run."
EXAMPLES = (
    "inspect --workdir=runs/g2p",
    "inspect --workdir=runs/toy_copy",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_workdir(parser)


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Print the description of the run.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    refuse_overrides(overrides, "inspect shows a run as it is; leave it out")
    from seq2seq_jax.reports.inspection import describe_workdir

    print(describe_workdir(open_workdir(arguments, overrides)))
