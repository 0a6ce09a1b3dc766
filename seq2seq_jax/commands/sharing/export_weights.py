"""The command `export-weights`."""

import argparse
from pathlib import Path

from seq2seq_jax.commands.run_arguments import open_workdir
from seq2seq_jax.commands.sharing.card_arguments import add_card_arguments, write_card
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "Write the parameters as safetensors, with vocabularies, configuration and model card."
EXAMPLES = (
    "export-weights --workdir=runs/g2p --output=g2p-hub --language=en --license=apache-2.0",
    "export-weights --workdir=runs/g2p --output=g2p-hub --config.inference.checkpoint=latest",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_card_arguments(parser)
    parser.add_argument("--output", metavar="DIR", help="The directory to create.")


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Write the directory, and print its name.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line; `inference.checkpoint` selects the checkpoint.

    Raises:
      UserError: An argument is wrong, or there is no trained model.
    """
    from seq2seq_jax.config import resolve
    from seq2seq_jax.importers.safetensors_weights import export_weights

    if not arguments.output:
        raise UserError("--output", "name the directory; use --output=DIR")
    workdir = open_workdir(arguments, overrides)
    config = resolve(workdir.config(), overrides)
    card = write_card(arguments, workdir, config, config.inference.checkpoint)
    export_weights(workdir, config, Path(arguments.output), card)
    print(arguments.output)
