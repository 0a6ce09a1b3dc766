"""Draws a learning rate schedule."""

import argparse

from seq2seq_jax.config.overrides import Overrides

HELP = "draw a learning rate"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", required=True, help="as for train")
    parser.add_argument("--output", metavar="PNG", default="learning_rate.png")


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.config import load_config, resolve
    from seq2seq_jax.reports.schedule_plot import plot_schedule

    print(plot_schedule(resolve(load_config(arguments.config), overrides), arguments.output))
