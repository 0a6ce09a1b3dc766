"""Downloads trained weights of InceptionV3."""

import argparse

from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "fetch trained weights for InceptionV3Encoder, and print the file they are in"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="keras: of ImageNet, as Keras has them (88 MB); torchvision: of ImageNet, as"
        " torchvision has them (104 MB); nsfwjs: those of an npm package (25 MB), the first 51"
        " layers of ImageNet, the others tuned to flag pornography, 8 bits a number",
    )
    parser.add_argument(
        "--folder", metavar="DIR", help="where to; default: weights in the user's cache folder"
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.captioning.weights.fetching import fetch_weights
    from seq2seq_jax.utils.cache_dir import cache_dir

    if overrides:
        raise UserError(overrides[0][0], "fetch-weights reads no configuration")
    print(fetch_weights(arguments.source, arguments.folder or cache_dir("weights")))
