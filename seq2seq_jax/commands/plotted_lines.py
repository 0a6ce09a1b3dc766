"""What the commands have in common that draw something of each line into a folder."""

import argparse
from typing import TYPE_CHECKING

from seq2seq_jax.commands.workdir_arguments import add_workdir
from seq2seq_jax.utils.errors import UserError

if TYPE_CHECKING:
    from ml_collections import ConfigDict

    from seq2seq_jax.inference.tasks.inference_task import InferenceTask
    from seq2seq_jax.storage.workdir import Workdir


def add_lines(parser: argparse.ArgumentParser, what: str) -> None:
    """Args: what: goes into the folder."""
    add_workdir(parser)
    parser.add_argument(
        "lines", nargs="*", metavar="LINE", help="a source; standard input has them if none is here"
    )
    parser.add_argument("--input", metavar="FILE", help="read sources from this file")
    parser.add_argument("--output", metavar="DIR", help=f"gets {what}")


def output_folder(arguments: argparse.Namespace) -> str:
    """Raises UserError if no folder was named, or sources were named twice."""
    if not arguments.output:
        raise UserError("--output", "which folder shall the pictures go to?")
    if arguments.lines and arguments.input:
        raise UserError("--input", "has sources, but some are given already; leave either out")
    return arguments.output


def draw_lines(
    arguments: argparse.Namespace,
    workdir: "Workdir",
    config: "ConfigDict",
    task: "InferenceTask",
) -> None:
    """Predicts each line, gives it to the task, and prints the folder."""
    from seq2seq_jax.inference.line_reader import in_windows, input_windows
    from seq2seq_jax.inference.loading import load_ensemble
    from seq2seq_jax.inference.predictor import Predictor

    limit = 16 * config.inference.batch_size
    if arguments.lines:
        windows = in_windows(arguments.lines, limit)
    else:
        windows = input_windows(arguments.input, limit)
    predictor = Predictor(load_ensemble(workdir, config), config)
    if task.attention and not predictor.has_attention:
        raise UserError("model", f"is {config.model}, which has no attention")
    task.begin(predictor)
    number = 0
    for texts in windows:
        for prediction in predictor.predict(texts, attention=task.attention, history=task.history):
            task.run(number, prediction)
            number += 1
    task.end()
    print(arguments.output)
