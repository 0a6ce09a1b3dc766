"""The command `plot-schedule`."""

import argparse

from seq2seq_jax.commands.run_arguments import add_trust, trust_of
from seq2seq_jax.config.overrides import Overrides

HELP = "Draw the learning rate of a configuration over the training steps."
EXAMPLES = (
    "plot-schedule --config=configs/g2p.py",
    "plot-schedule --config=configs/g2p.py --config.optimizer.lr_decay_steps=900 --output=rate.png",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    parser.add_argument(
        "--config", metavar="FILE", required=True, help="The configuration, as for train."
    )
    add_trust(parser)
    parser.add_argument(
        "--output",
        metavar="PNG",
        default="learning_rate.png",
        help="The plot. The default is %(default)s.",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Draw the learning rate, and print the file.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    from seq2seq_jax.config import load_config, resolve
    from seq2seq_jax.reports.schedule_plot import plot_schedule
    from seq2seq_jax.training.optimizers import OptimizerConfig
    from seq2seq_jax.training.schedules import make_schedule

    config = resolve(load_config(arguments.config, trust_of(arguments, overrides)), overrides)
    schedule = make_schedule(OptimizerConfig.from_config(config.optimizer))
    title = config.optimizer.lr_decay_type or "constant"
    print(plot_schedule(schedule, config.train_steps, title, arguments.output))
