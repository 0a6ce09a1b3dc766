"""The command `pack`."""

import argparse
from pathlib import Path

from seq2seq_jax.commands.run_arguments import open_workdir, refuse_overrides
from seq2seq_jax.commands.sharing.card_arguments import add_card_arguments, write_card
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "Pack a trained model and its model card into one archive, which other commands open."
EXAMPLES = (
    "pack --workdir=runs/g2p --output=g2p.zip --language=en --license=apache-2.0",
    "pack --workdir=runs/g2p --output=g2p.zip --checkpoint=latest --with-optimizer",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_card_arguments(parser)
    parser.add_argument("--output", metavar="FILE.zip", help="The archive to write.")
    parser.add_argument(
        "--checkpoint",
        metavar="STEP",
        default="best",
        help="The checkpoint: best, latest or a step. The default is %(default)s.",
    )
    parser.add_argument(
        "--with-optimizer",
        action="store_true",
        help="Keep the state of the optimizer, so that another run can continue from it.",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Write the archive, and print its name and its SHA-256.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument is wrong, or there is no trained model.
    """
    from seq2seq_jax.config import resolve
    from seq2seq_jax.storage.packed_workdir import pack_workdir

    refuse_overrides(overrides, "is that of the run; leave it out")
    if not arguments.output:
        raise UserError("--output", "name the archive; use --output=NAME.zip")
    checkpoint = arguments.checkpoint
    if checkpoint not in ("best", "latest") and not checkpoint.isdecimal():
        raise UserError("--checkpoint", f"use best, latest or a step; got {checkpoint}")
    workdir = open_workdir(arguments, overrides)
    config = resolve(workdir.config())
    digest = pack_workdir(
        workdir,
        config,
        Path(arguments.output),
        checkpoint=checkpoint,
        card=write_card(arguments, workdir, config, checkpoint),
        with_optimizer=arguments.with_optimizer,
    )
    print(f"{digest}  {arguments.output}")
