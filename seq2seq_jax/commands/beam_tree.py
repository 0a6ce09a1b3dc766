"""The command `beam-tree`."""

import argparse

from seq2seq_jax.commands.run_arguments import (
    add_source_lines,
    open_text_run,
    required_output,
    run_task_on_lines,
)
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "Draw the beam search of a trained model as a tree, one page for each source line."
EXAMPLES = (
    "beam-tree --workdir=runs/g2p --output=trees knight"
    " --config.inference.beam_search.beam_width=5",
    "beam-tree --workdir=runs/g2p --output=trees --input=words.txt"
    " --config.inference.beam_search.beam_width=3",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_source_lines(parser, "the pages 00000.html, 00001.html, ...")


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Draw a tree for each source line.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument or a configuration key is wrong.
    """
    from seq2seq_jax.inference.tasks.beam_trees import BeamTrees

    directory = required_output(arguments)
    workdir, config = open_text_run(arguments, overrides)
    search = config.inference
    if search.sampling.enable:
        raise UserError(
            "inference.sampling.enable", "is true, but sampling has no beam; set it to false"
        )
    width = search.beam_search.beam_width
    if width <= 1:
        key = "inference.beam_search.beam_width"
        raise UserError(key, f"must be at least 2; got {width}; use --config.{key}=5")
    run_task_on_lines(arguments, workdir, config, BeamTrees(directory))
