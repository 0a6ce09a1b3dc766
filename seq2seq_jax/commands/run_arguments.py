"""Arguments that commands share: the workdir of a run, and the sources that a run is used on."""

import argparse
from typing import TYPE_CHECKING

from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.problems.text import add_language_argument
from seq2seq_jax.utils.errors import UserError

if TYPE_CHECKING:
    from ml_collections import ConfigDict

    from seq2seq_jax.config import Trust
    from seq2seq_jax.inference.tasks.inference_task import InferenceTask
    from seq2seq_jax.storage.workdir import Workdir


def add_workdir(parser: argparse.ArgumentParser) -> None:
    """Add `--workdir` and `--trust-custom-code`.

    Args:
      parser: The command's parser.
    """
    parser.add_argument("--workdir", metavar="DIR", help="The directory of the run.")
    add_trust(parser)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add `--trust-custom-code`.

    Args:
      parser: The command's parser.
    """
    parser.add_argument(
        "--trust-custom-code",
        action="store_true",
        help="Load custom classes that a workdir, a YAML file or a JSON file names. Their code"
        " runs; use this only for files from a source that you trust.",
    )


def add_breakdowns(parser: argparse.ArgumentParser) -> None:
    """Add `--by`.

    Args:
      parser: The command's parser.
    """
    parser.add_argument(
        "--by",
        metavar="NAMES",
        help="Break the results down by these groupings, separated by commas: overlap (with the"
        " training data), feature, length.",
    )


def breakdowns_of(arguments: argparse.Namespace) -> list[str]:
    """Return the names of `--by`.

    Args:
      arguments: The command's arguments, of `add_breakdowns`.
    """
    return [name for name in (arguments.by or "").split(",") if name]


def trust_of(arguments: argparse.Namespace, overrides: Overrides) -> "Trust":
    """Return which custom classes data files may name: all, or those that the user typed.

    Args:
      arguments: The command's arguments, of `add_trust`.
      overrides: The overrides of the command line.
    """
    from seq2seq_jax.config import trusted_names

    return True if arguments.trust_custom_code else trusted_names(overrides)


def open_workdir(arguments: argparse.Namespace, overrides: Overrides) -> "Workdir":
    """Return the workdir that `--workdir` names.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line; custom classes in them are trusted.

    Raises:
      UserError: No workdir was named.
    """
    from seq2seq_jax.storage.workdir import Workdir

    return Workdir(required_workdir(arguments), trust_of(arguments, overrides))


def required_workdir(arguments: argparse.Namespace) -> str:
    """Return the workdir.

    Args:
      arguments: The command's arguments.

    Raises:
      UserError: No workdir was named.
    """
    if not arguments.workdir:
        raise UserError("--workdir", "name the run; use --workdir=runs/NAME")
    return str(arguments.workdir)


def refuse_overrides(overrides: Overrides, why: str) -> None:
    """Check that no `--config.KEY=VALUE` was given.

    Args:
      overrides: The overrides of the command line.
      why: Why the command takes none, for the error.

    Raises:
      UserError: There is an override.
    """
    if overrides:
        raise UserError(f"--config.{overrides[0][0]}", why)


def open_text_run(
    arguments: argparse.Namespace, overrides: Overrides
) -> tuple["Workdir", "ConfigDict"]:
    """Open the run of a text model.

    Args:
      arguments: The command's arguments, with `workdir`.
      overrides: The overrides of the command line.

    Returns:
      The workdir and its resolved configuration.

    Raises:
      UserError: There is no such run, an override is wrong, or the run's sources are images.
    """
    from seq2seq_jax.config import resolve
    from seq2seq_jax.problems.protocol import problem_of

    workdir = open_workdir(arguments, overrides)
    config = resolve(workdir.config(), overrides)
    problem_of(config).require_texts(config, str(workdir.path))
    return workdir, config


def add_source_lines(parser: argparse.ArgumentParser, files: str) -> None:
    """Add the arguments of a command that draws something for each source line.

    Args:
      parser: The command's parser.
      files: What the command writes into the output directory.
    """
    add_workdir(parser)
    parser.add_argument(
        "lines",
        nargs="*",
        metavar="LINE",
        help="A source; of a model that reads features, a source, a tab and features. Without any,"
        " each line of standard input is one.",
    )
    parser.add_argument("--input", metavar="FILE", help="Read the sources from this file.")
    add_language_argument(parser)
    parser.add_argument("--output", metavar="DIR", help=f"The directory for {files}.")


def required_output(arguments: argparse.Namespace) -> str:
    """Return the output directory of a command with `add_source_lines`.

    Args:
      arguments: The command's arguments.

    Raises:
      UserError: No directory was named, or there are both sources and a file of sources.
    """
    if not arguments.output:
        raise UserError("--output", "name the directory for the files; use --output=DIR")
    if arguments.lines and arguments.input:
        raise UserError("--input", "cannot be combined with sources on the command line")
    return str(arguments.output)


def run_task_on_lines(
    arguments: argparse.Namespace,
    workdir: "Workdir",
    config: "ConfigDict",
    task: "InferenceTask",
) -> None:
    """Predict each source line, pass the prediction to a task, and print the output directory.

    Args:
      arguments: The command's arguments, of `add_source_lines`.
      workdir: The workdir of the run.
      config: Its resolved configuration.
      task: The task, which writes into the output directory.

    Raises:
      UserError: The task needs attention, and the model has none.
    """
    from seq2seq_jax.inference.lines import (
        BATCHES_PER_CHUNK,
        chunked,
        describe_source_line,
        line_chunks,
        source_chunks,
    )
    from seq2seq_jax.inference.loading import load_ensemble
    from seq2seq_jax.inference.predictor import Predictor
    from seq2seq_jax.inference.tasks.inference_task import run_tasks

    limit = BATCHES_PER_CHUNK * config.inference.batch_size
    if arguments.lines:
        chunks, name = chunked(arguments.lines, limit), "command line"
    else:
        chunks = line_chunks(arguments.input, limit, describe_source_line(config))
        name = arguments.input or "<stdin>"
    predictor = Predictor(load_ensemble(workdir, config), config)
    if task.needs_attention and not predictor.has_attention:
        raise UserError("model", f"{config.model} has no attention")
    task.begin(predictor)
    count = 0
    for texts, features in source_chunks(chunks, name, limit, predictor.has_features):
        predictions = predictor.predict(
            texts,
            languages=arguments.language,
            features=features,
            return_attention=task.needs_attention,
            return_beam_trace=task.needs_beam_trace,
        )
        run_tasks([task], count, predictions)
        count += len(texts)
    task.end()
    print(arguments.output)
