"""The command `train`."""

import argparse

from seq2seq_jax.commands.data.data_flags import add_data_arguments, data_overrides
from seq2seq_jax.commands.run_arguments import add_workdir, trust_of
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.config.recipes import NO_CONFIG
from seq2seq_jax.devices.distributed import add_host_arguments, initialize_distributed
from seq2seq_jax.utils.errors import UserError

HELP = "Train a model, or resume the training of a run."
EXAMPLES = (
    "train --config=toy_reverse",
    "train --config=attention --train-file=train.tsv --dev-file=dev.tsv",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_workdir(parser)
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="The name of a recipe (see the command configs), or a Python file with get_config();"
        " FILE:ARGUMENT passes it an argument. Without --workdir, the run is in runs/NAME, where"
        " NAME is the name of the file.",
    )
    add_data_arguments(parser)
    add_host_arguments(parser)


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Train the model, and draw its learning curve.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    from seq2seq_jax.config import config_name, load_config, resolve

    if arguments.config:
        workdir = arguments.workdir or f"runs/{config_name(arguments.config)}"
        config = load_config(arguments.config, trust_of(arguments, overrides))
    elif arguments.workdir:
        from seq2seq_jax.storage.workdir import Workdir

        workdir = arguments.workdir
        run_to_resume = Workdir(workdir, trust_of(arguments, overrides))
        if not run_to_resume.config_file.exists():
            raise UserError(workdir, f"no run to resume is here; to start one, {NO_CONFIG}")
        config = run_to_resume.config()
    else:
        raise UserError("--config", NO_CONFIG)
    config = resolve(config, data_overrides(arguments, config, overrides))

    # These import JAX; a wrong flag is reported before.
    from seq2seq_jax.devices.parallel import Devices
    from seq2seq_jax.reports.learning_curve import plot_learning_curve, terminal_curves
    from seq2seq_jax.training.train import train
    from seq2seq_jax.utils.logging import say, slow_work

    initialize_distributed(arguments)
    if train(config, workdir) and Devices().is_main:
        with slow_work("Drawing the learning curve"):
            plot = plot_learning_curve(workdir)
        say(f"{terminal_curves(workdir)}\nLearning curve in {plot}")
