"""Arguments of commands that write a model card."""

import argparse
from typing import TYPE_CHECKING

from seq2seq_jax.commands.run_arguments import add_workdir

if TYPE_CHECKING:
    from ml_collections import ConfigDict

    from seq2seq_jax.storage.workdir import Workdir


def add_card_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the workdir, and what only the author of a model knows.

    Args:
      parser: The command's parser.
    """
    add_workdir(parser)
    card = parser.add_argument_group("model card")
    for flag, metavar, what in (
        ("--title", "NAME", "The name of the model; without it, that of the workdir."),
        ("--language", "CODE[,CODE...]", "Codes of languages, as in en,de, or multilingual."),
        ("--license", "ID", "Identifier of the license, such as apache-2.0."),
        ("--datasets", "NAME[,NAME...]", "Names of the data."),
        ("--description", "TEXT", "Some sentences about the model."),
        ("--base-model", "NAME", "The model from which it was tuned, as the hub names it."),
    ):
        card.add_argument(flag, metavar=metavar, default="", help=what)


def write_card(
    arguments: argparse.Namespace, workdir: "Workdir", config: "ConfigDict", checkpoint: str
) -> str:
    """Return the model card of a run.

    Args:
      arguments: The command's arguments, of `add_card_arguments`.
      workdir: The workdir of the run.
      config: Its resolved configuration.
      checkpoint: `best`, `latest` or the number of a step.

    Raises:
      UserError: An argument has a wrong form, or there is no such checkpoint.
    """
    from seq2seq_jax.reports.model_card import CardDetails, model_card
    from seq2seq_jax.schema.rules import split_names
    from seq2seq_jax.storage.run_reference import RunReference

    details = CardDetails(
        title=arguments.title,
        languages=split_names(arguments.language),
        license=arguments.license,
        datasets=split_names(arguments.datasets),
        description=arguments.description,
        base_model=arguments.base_model,
    )
    details.check()
    checkpoints = workdir.checkpoints(config)
    step, arrays, _ = checkpoints.read(RunReference("", checkpoint).step(checkpoints))
    size = sum(array.size for name, array in arrays.items() if name.startswith("params."))
    return model_card(workdir, config, step, size, details)
