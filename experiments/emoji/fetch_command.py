"""Fetches the emoji that `configs/emoji_captioning.py` learns to name."""

import argparse

from seq2seq_jax.config.overrides import Overrides

HELP = "fetch the pictures of emoji and their names"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder", metavar="DIR", help="where to; default: emoji in the user's cache folder"
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from experiments.emoji.emoji import fetch_emoji
    from seq2seq_jax.utils.cache_dir import cache_dir

    for table in fetch_emoji(arguments.folder or cache_dir("emoji")).values():
        print(table)
