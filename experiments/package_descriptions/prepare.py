"""Makes the corpus: pairs of a long and a short description of a Debian package.

python -m experiments.package_descriptions.prepare
"""

import argparse

from experiments.package_descriptions.corpus import INDICES, write_package_descriptions
from experiments.package_descriptions.debian_index import MIRROR, fetch_index
from experiments.script import run_script
from seq2seq_jax.utils.cache_dir import cache_dir
from seq2seq_jax.utils.logging import say


def run(arguments: argparse.Namespace) -> None:
    """Fetch the indices, unless they are given, and write and print the files of the corpus."""
    descriptions, sources = (
        given or fetch_index(name, mirror=arguments.mirror, release=arguments.release)
        for given, name in zip((arguments.descriptions, arguments.sources), INDICES, strict=True)
    )
    directory = arguments.output or cache_dir("package_descriptions")
    tables = write_package_descriptions(descriptions, sources, directory)
    for split, table in tables.items():
        with open(table, encoding="utf-8") as file:
            say(f"{split}: {sum(1 for _ in file) - 1:,} pairs")
        print(table)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the script's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.package_descriptions.prepare",
        description="Make a summarization corpus from Debian's package descriptions.",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="The directory. The default is package_descriptions/ in the user's cache directory.",
    )
    parser.add_argument(
        "--descriptions",
        metavar="FILE",
        help="Debian's index Translation-en, plain, .gz or .xz. Without it, the index is fetched.",
    )
    parser.add_argument("--sources", metavar="FILE", help="Debian's index Sources, likewise.")
    parser.add_argument(
        "--mirror", default=MIRROR, help="The mirror to fetch from. The default is %(default)s."
    )
    parser.add_argument(
        "--release",
        default="bookworm",
        metavar="NAME",
        help="The release of Debian. The default is %(default)s.",
    )
    return parser


if __name__ == "__main__":
    run_script(make_parser(), run)
