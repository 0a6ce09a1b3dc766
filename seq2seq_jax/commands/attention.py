"""Draws where a trained model looks."""

import argparse

from seq2seq_jax.commands.plotted_lines import add_lines, draw_lines, output_folder
from seq2seq_jax.commands.text_model import open_text_run
from seq2seq_jax.config.overrides import Overrides

HELP = "draw where a trained model looks at each word, a heat map for each line"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_lines(parser, "pictures 00000.png, 00001.png, ...")
    parser.add_argument("--svg", action="store_true", help="draw SVG in place of PNG")


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.inference.tasks.dump_attention import DumpAttention

    folder = output_folder(arguments)
    workdir, config = open_text_run(arguments, overrides)
    kind = "svg" if arguments.svg else "png"
    task = DumpAttention(folder, dump_atts=False, plot_format=kind)
    draw_lines(arguments, workdir, config, task)
