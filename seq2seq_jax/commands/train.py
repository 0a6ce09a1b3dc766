"""Trains a model."""

import argparse

from seq2seq_jax.commands.workdir_arguments import add_workdir
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.devices.distributed import add_host_arguments, initialize_distributed
from seq2seq_jax.utils.errors import UserError

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
    from seq2seq_jax.config import config_name, load_config, resolve
    from seq2seq_jax.devices.parallel import Devices
    from seq2seq_jax.reports.learning_curve import plot_learning_curve, terminal_curves
    from seq2seq_jax.storage.workdir import Workdir
    from seq2seq_jax.training.trainer import train
    from seq2seq_jax.utils.logging import say

    if arguments.config:
        workdir = arguments.workdir or f"runs/{config_name(arguments.config)}"
        config = load_config(arguments.config)
    elif arguments.workdir:
        workdir = arguments.workdir
        config = Workdir(workdir).config()
    else:
        raise UserError("--config", "no configuration; --config=configs/attention.py would do")
    config = resolve(config, overrides)
    initialize_distributed(arguments)
    if train(config, workdir) and Devices().is_main:
        picture = plot_learning_curve(workdir)
        say(f"{terminal_curves(workdir)}\nlearning curve in {picture}")
