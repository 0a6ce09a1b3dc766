"""The argument that names a run's folder."""

import argparse

from seq2seq_jax.utils.errors import UserError


def add_workdir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workdir", metavar="DIR", help="folder of the run")


def required_workdir(arguments: argparse.Namespace) -> str:
    """Raises UserError if no folder was named."""
    if not arguments.workdir:
        raise UserError("--workdir", "which run? --workdir=runs/<name of its config file>, say")
    return arguments.workdir
