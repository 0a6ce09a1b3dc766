"""Prepares the data of a configuration, so that training begins at once."""

import argparse

from seq2seq_jax.commands.workdir_arguments import add_workdir
from seq2seq_jax.config.overrides import Overrides

HELP = "read and split the data of a configuration once, and report on them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workdir(parser)
    parser.add_argument("--config", metavar="FILE", required=True, help="as for train")


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.config import check_training, config_name, load_config, resolve
    from seq2seq_jax.devices.parallel import Devices
    from seq2seq_jax.storage.workdir import Workdir
    from seq2seq_jax.training.data_setup import prepare_data

    config = resolve(load_config(arguments.config), overrides)
    check_training(config)
    workdir = arguments.workdir or f"runs/{config_name(arguments.config)}"
    print(prepare_data(config, Workdir(workdir), Devices()).report)
