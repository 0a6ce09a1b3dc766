"""The command `infer`."""

import argparse
import sys
from collections.abc import Sequence

from seq2seq_jax.captioning import command as caption
from seq2seq_jax.commands.run_arguments import add_workdir, required_workdir
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "Write one output line for each source line, or a caption for each image."
EXAMPLES = (
    "infer --workdir=runs/g2p < words.txt",
    "infer --workdir=runs/g2p --input=words.txt --json --attention",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workdir(parser)
    parser.add_argument("--input", metavar="FILE", help="Read this file instead of standard input.")
    parser.add_argument("--json", action="store_true", help="Write a JSON object for each line.")
    parser.add_argument(
        "--attention", action="store_true", help="Include the attention weights in the JSON."
    )
    parser.add_argument(
        "--tasks",
        metavar="NAMES",
        help="Inference tasks, separated by commas: DecodeText, DumpAttention, DumpBeams, or the"
        " path of a class of your own. --config.tasks.NAME.params.KEY=VALUE sets their parameters.",
    )
    caption.add_arguments(parser)


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.config import resolve
    from seq2seq_jax.inference.constraint_files import read_constraints
    from seq2seq_jax.inference.json_lines import prediction_line
    from seq2seq_jax.inference.line_reader import answer_lines, input_windows
    from seq2seq_jax.inference.loading import load_ensemble
    from seq2seq_jax.inference.predictor import Predictor
    from seq2seq_jax.inference.tasks.factory import begin_tasks, make_tasks, run_tasks
    from seq2seq_jax.storage.workdir import Workdir

    if arguments.attention and not arguments.json:
        what = "goes into JSON; add --json, or --tasks=DumpAttention, which writes files"
        raise UserError("--attention", what)
    workdir = Workdir(required_workdir(arguments))
    if "pictures" in workdir.config():
        return caption.run(arguments, overrides, str(workdir.path))
    caption.refuse_arguments(arguments)
    if arguments.tasks is not None:
        overrides = [*overrides, ("tasks", arguments.tasks)]
    config = resolve(workdir.config(), overrides)
    tasks = make_tasks(config)
    windows = input_windows(arguments.input, 16 * config.inference.batch_size)
    predictor = Predictor(load_ensemble(workdir, config), config)
    if arguments.attention and not predictor.has_attention:
        raise UserError("--attention", f"{config.model} has none; leave it out")
    conditions = read_constraints(config.inference, predictor.tokenizers.target)
    begin_tasks(tasks, predictor)
    attention = arguments.attention or any(task.attention for task in tasks.values())
    history = any(task.history for task in tasks.values())
    number = 0

    def answer(texts: Sequence[str]) -> list[str]:
        nonlocal number
        prefixes, allowed = conditions(len(texts))
        predictions = predictor.predict(
            texts, prefixes=prefixes, allowed=allowed, attention=attention, history=history
        )
        written = run_tasks(tasks.values(), number, predictions)
        number += len(texts)
        if arguments.json:
            return [prediction_line(one, attention=arguments.attention) for one in written]
        return [prediction.text for prediction in written]

    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    try:
        answer_lines(answer, windows, sys.stdout)
    finally:
        for task in tasks.values():
            task.end()
