"""The command `import-weights`."""

import argparse
from pathlib import Path

from seq2seq_jax.commands.run_arguments import (
    add_workdir,
    refuse_overrides,
    required_workdir,
    trust_of,
)
from seq2seq_jax.config.overrides import Overrides

HELP = "Make a workdir of a directory that export-weights wrote."
EXAMPLES = (
    "import-weights --input=g2p-hub --workdir=runs/imported",
    "import-weights --input=downloads/pronouncer --workdir=runs/pronouncer",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_workdir(parser)
    parser.add_argument(
        "--input", metavar="DIR", required=True, help="The directory with model.safetensors."
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Write the workdir.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument or a file is wrong.
    """
    from seq2seq_jax.importers.safetensors_weights import import_weights

    refuse_overrides(overrides, "is set by the configuration of --input; leave it out")
    workdir = required_workdir(arguments)
    import_weights(Path(arguments.input), workdir, trust_of(arguments, overrides))
