"""The command `attention`."""

import argparse

from seq2seq_jax.commands.run_arguments import (
    add_source_lines,
    open_text_run,
    required_output,
    run_task_on_lines,
)
from seq2seq_jax.config.overrides import Overrides

HELP = "Draw the attention of a trained model as a heat map for each source line."
EXAMPLES = (
    'attention --workdir=runs/attention --output=plots "3 1 4"',
    "attention --workdir=runs/g2p --input=words.txt --output=plots --svg",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_source_lines(parser, "the plots 00000.png, 00001.png, ...")
    parser.add_argument("--svg", action="store_true", help="Write SVG instead of PNG.")


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Draw a heat map for each source line.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument or a configuration key is wrong.
    """
    from seq2seq_jax.inference.tasks.dump_attention import DumpAttention

    directory = required_output(arguments)
    workdir, config = open_text_run(arguments, overrides)
    kind = "svg" if arguments.svg else "png"
    task = DumpAttention(directory, dump_atts=False, plot_format=kind)
    run_task_on_lines(arguments, workdir, config, task)
