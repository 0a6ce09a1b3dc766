"""Uses a trained model: lines in, lines out."""

import argparse
import sys

from seq2seq_jax.commands.run_folder import add_workdir, required_workdir
from seq2seq_jax.config.overrides import Overrides

HELP = "read lines, write one line for each"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workdir(parser)
    parser.add_argument("--input", metavar="FILE", help="read this in place of standard input")


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.data.text_lines import check_readable
    from seq2seq_jax.inference.line_stream import answer_lines
    from seq2seq_jax.inference.predictor import Predictor

    if arguments.input:
        check_readable(arguments.input, once=True)
    predictor = Predictor.from_workdir(required_workdir(arguments), overrides)
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    with open(arguments.input, "rb") if arguments.input else sys.stdin.buffer as source:
        answer_lines(
            lambda texts: [prediction.text for prediction in predictor.predict(texts)],
            source,
            sys.stdout,
            name=arguments.input or "<stdin>",
            window=16 * predictor.config.inference.batch_size,
        )
