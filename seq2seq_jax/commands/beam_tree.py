"""Draws how a trained model searches."""

import argparse

from seq2seq_jax.commands.plotted_lines import add_lines, draw_lines, output_folder
from seq2seq_jax.commands.text_model import open_text_run
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "draw the beam search of a trained model as a tree, a page for each line"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_lines(parser, "pages 00000.html, 00001.html, ...")


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.inference.tasks.beam_trees import BeamTrees

    folder = output_folder(arguments)
    workdir, config = open_text_run(arguments, overrides)
    search = config.inference
    if search.sampling.enable:
        raise UserError("inference.sampling.enable", "is true, but samples come from no search")
    width = search.beam_search.beam_width
    if width <= 1:
        key = "inference.beam_search.beam_width"
        raise UserError(key, f"is {width}, which is no beam; --config.{key}=5 would do")
    draw_lines(arguments, workdir, config, BeamTrees(folder))
