"""Makes the corpus that `configs/package_descriptions.py` learns to summarise."""

import argparse

from experiments.package_descriptions.debian_index import MIRROR
from seq2seq_jax.config.overrides import Overrides

HELP = "make a corpus of summaries from Debian's descriptions of its packages"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder",
        metavar="DIR",
        help="where to; default: package_descriptions in the user's cache folder",
    )
    parser.add_argument(
        "--descriptions",
        metavar="FILE",
        help="Debian's index Translation-en, plain, .gz or .xz; fetched if it is not given",
    )
    parser.add_argument("--sources", metavar="FILE", help="its index Sources, likewise")
    parser.add_argument("--mirror", default=MIRROR, help="where from; default: %(default)s")
    parser.add_argument(
        "--release", default="bookworm", metavar="NAME", help="of Debian; default: %(default)s"
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from experiments.package_descriptions.debian_index import fetch_index
    from experiments.package_descriptions.package_descriptions import (
        INDICES,
        write_package_descriptions,
    )
    from seq2seq_jax.utils.cache_dir import cache_dir
    from seq2seq_jax.utils.logging import say

    descriptions, sources = (
        given or fetch_index(name, mirror=arguments.mirror, release=arguments.release)
        for given, name in zip((arguments.descriptions, arguments.sources), INDICES, strict=True)
    )
    folder = arguments.folder or cache_dir("package_descriptions")
    tables = write_package_descriptions(descriptions, sources, folder)
    for split, table in tables.items():
        with open(table, encoding="utf-8") as file:
            say(f"{split}: {sum(1 for _ in file) - 1:,} pairs")
        print(table)
