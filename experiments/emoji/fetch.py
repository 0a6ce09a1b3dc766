"""Fetches what the demo needs with npm: the emoji, their names, and the weights of the network.

    python -m experiments.emoji.fetch

It prints the files of captions and, last, the file of weights. README.md says where they come from.
"""

import argparse

from experiments.emoji.corpus import fetch_emoji
from experiments.emoji.nsfwjs import fetch_nsfwjs
from experiments.script import run_script
from seq2seq_jax.utils.cache_dir import cache_dir


def run(arguments: argparse.Namespace) -> None:
    """Fetch the emoji and the weights, and print the files."""
    for table in fetch_emoji(arguments.output or cache_dir("emoji")).values():
        print(table)
    print(fetch_nsfwjs(cache_dir("weights")))


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the script's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.emoji.fetch",
        description="Fetch the emoji, their names, and the weights of the network, with npm.",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="The directory for the emoji. The default is emoji/ in the user's cache directory.",
    )
    return parser


if __name__ == "__main__":
    run_script(make_parser(), run)
