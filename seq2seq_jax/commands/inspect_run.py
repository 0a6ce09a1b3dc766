"""Shows what a run has come to."""

import argparse

from seq2seq_jax.commands.workdir_arguments import add_workdir, required_workdir
from seq2seq_jax.config.overrides import Overrides

HELP = "show a run's step, parameters, metrics and digest"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workdir(parser)


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.reports.inspection import describe_workdir

    print(describe_workdir(required_workdir(arguments)))
