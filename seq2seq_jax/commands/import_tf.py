"""Moves a model of google/seq2seq in."""

import argparse

from seq2seq_jax.commands.workdir_arguments import add_workdir, required_workdir
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "make a workdir of a model of google/seq2seq"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workdir(parser)
    for flag, metavar, what in (
        ("--params", "FILE[,FILE...]", "its YAML files, or its train_options.json"),
        ("--variables", "FILE", "an .npz of its variables, or its checkpoint"),
        ("--vocab_source", "FILE", "its source vocabulary"),
        ("--vocab_target", "FILE", "its target vocabulary"),
    ):
        parser.add_argument(flag, metavar=metavar, help=what, required=True)


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.importers.tf_seq2seq import import_tf

    if overrides:
        raise UserError(overrides[0][0], "is what --params says; change it in that file")
    import_tf(
        arguments.params.split(","),
        arguments.variables,
        arguments.vocab_source,
        arguments.vocab_target,
        required_workdir(arguments),
    )
