"""The command `prepare`."""

import argparse

from seq2seq_jax.commands.data.data_flags import add_data_arguments, data_overrides
from seq2seq_jax.commands.run_arguments import add_workdir, trust_of
from seq2seq_jax.config.overrides import Overrides

HELP = "Read and tokenize the data of a configuration once, and report on them."
EXAMPLES = (
    "prepare --config=configs/g2p.py",
    "prepare --config=configs/g2p.py --workdir=runs/my_g2p",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_workdir(parser)
    parser.add_argument(
        "--config", metavar="FILE", required=True, help="The configuration, as for train."
    )
    add_data_arguments(parser)


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Prepare the data, and print the report.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    from seq2seq_jax.config import (
        check_training,
        config_name,
        load_config,
        resolve,
        trusted_names,
    )

    config = load_config(arguments.config, trust_of(arguments, overrides))
    config = resolve(config, data_overrides(arguments, config, overrides))
    check_training(config)

    # These import JAX; a wrong flag is reported before.
    from seq2seq_jax.devices.parallel import Devices
    from seq2seq_jax.problems.protocol import problem_of
    from seq2seq_jax.storage.workdir import Workdir
    from seq2seq_jax.utils.logging import slow_work

    problem = problem_of(config)
    path = arguments.workdir or f"runs/{config_name(arguments.config)}"
    workdir = Workdir(path, trusted_names(config))
    config = problem.complete_config(config, workdir)
    workdir.verify()
    with slow_work("Reading the data"):
        data = problem.prepare_training(config, workdir, Devices())
    print(data.report)
