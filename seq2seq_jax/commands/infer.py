"""The command `infer`."""

import argparse

from seq2seq_jax.commands.run_arguments import add_workdir, open_workdir
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.problems.protocol import Problem, all_problems, problem_of
from seq2seq_jax.utils.errors import UserError

HELP = "Write one output line for each source line, or a caption for each image."
EXAMPLES = (
    "infer --workdir=runs/g2p transformer chatbot",
    "infer --workdir=runs/g2p --input=words.txt --json --attention",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_workdir(parser)
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="A source text (of a model that reads features: a source, a tab and features); for"
        " image models, an image or a directory of images. Without any, each line of standard input"
        " is a source text or the path of an image.",
    )
    parser.add_argument("--input", metavar="FILE", help="Read this file instead of standard input.")
    parser.add_argument("--json", action="store_true", help="Write a JSON object for each line.")
    parser.add_argument(
        "--tsv",
        action="store_true",
        help="Write source, output and, if the model reads any, features, separated by tabs.",
    )
    parser.add_argument(
        "--attention", action="store_true", help="Include the attention weights in the JSON."
    )
    for problem in all_problems():
        problem.add_infer_arguments(parser.add_argument_group(problem.title))


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Check the arguments and let the problem of the model answer the input.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a line of the input is wrong.
    """
    if arguments.attention and not arguments.json:
        what = "needs --json; or use --tasks=DumpAttention, which writes files"
        raise UserError("--attention", what)
    if arguments.json and arguments.tsv:
        raise UserError("--tsv", "cannot be combined with --json; use one of them")
    if arguments.sources and arguments.input:
        raise UserError("--input", "cannot be combined with sources on the command line")
    workdir = open_workdir(arguments, overrides)
    problem = problem_of(workdir.config())
    for other in all_problems():
        if other.title != problem.title:
            _refuse_arguments(arguments, other, problem)
    problem.infer(arguments, overrides, workdir)


def _refuse_arguments(arguments: argparse.Namespace, other: Problem, problem: Problem) -> None:
    for action in other.add_infer_arguments(argparse.ArgumentParser()):
        if getattr(arguments, action.dest) != action.default:
            what = f"is for {other.title}; this workdir is of {problem.title}"
            raise UserError(action.option_strings[0], what)
