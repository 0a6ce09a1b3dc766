"""The run of a model of text, for commands that have no use for pictures."""

import argparse
from typing import TYPE_CHECKING

from seq2seq_jax.commands.workdir_arguments import required_workdir
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

if TYPE_CHECKING:
    from ml_collections import ConfigDict

    from seq2seq_jax.storage.workdir import Workdir


def open_text_run(
    arguments: argparse.Namespace, overrides: Overrides
) -> tuple["Workdir", "ConfigDict"]:
    """The folder that was named, and its configuration, resolved.

    Raises:
      UserError: there is none, an override is wrong, or its sources are pictures.
    """
    from seq2seq_jax.config import resolve
    from seq2seq_jax.storage.workdir import Workdir

    workdir = Workdir(required_workdir(arguments))
    config = resolve(workdir.config(), overrides)
    if "pictures" in config:
        raise UserError(
            str(workdir.path), f"its sources are pictures, and this is for text; {config.model}"
            " is looked at with infer --page",
        )  # fmt: skip
    return workdir, config
