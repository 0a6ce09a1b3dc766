"""Trains a model."""

import argparse
from pathlib import Path

from seq2seq_jax.commands.run_folder import add_workdir
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.errors import UserError
from seq2seq_jax.hosts import add_host_arguments, join_hosts

HELP = "train a model, or go on training it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workdir(parser)
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a Python file with get_config(); without --workdir the run is in runs/<its name>",
    )
    add_host_arguments(parser)


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.config import load_config, resolve
    from seq2seq_jax.console import say
    from seq2seq_jax.devices import Devices
    from seq2seq_jax.reports.learning_curve import plot_learning_curve, terminal_curves
    from seq2seq_jax.training.loop import train
    from seq2seq_jax.workdir import Workdir

    if arguments.config:
        name = Path(arguments.config.split(",")[0]).stem
        workdir = arguments.workdir or f"runs/{name}"
        config = load_config(arguments.config)
    elif arguments.workdir:
        workdir = arguments.workdir
        config = Workdir(workdir).config()
    else:
        raise UserError("--config", "no configuration; --config=configs/attention.py would do")
    config = resolve(config, overrides)
    join_hosts(arguments)
    if train(config, workdir) and Devices().is_main:
        picture = plot_learning_curve(workdir)
        say(f"{terminal_curves(workdir)}\nlearning curve in {picture}")
