"""The command `fetch-weights`."""

import argparse

from seq2seq_jax.commands.run_arguments import refuse_overrides
from seq2seq_jax.config.overrides import Overrides

HELP = "Fetch pretrained weights for InceptionV3Encoder, and print the path of their file."
EXAMPLES = (
    "fetch-weights keras",
    "fetch-weights torchvision --output=weights",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="Which weights. keras: the ImageNet weights of Keras (88 MB). torchvision: the"
        " ImageNet weights of torchvision (104 MB).",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="The directory. The default is weights/ in the user's cache directory.",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Fetch the weights, and print the path."""
    from seq2seq_jax.captioning.weights.fetching import fetch_weights
    from seq2seq_jax.utils.cache_dir import persistent_cache_dir

    refuse_overrides(overrides, "fetch-weights reads no configuration; leave it out")
    print(fetch_weights(arguments.source, arguments.output or persistent_cache_dir() / "weights"))
