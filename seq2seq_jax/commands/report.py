"""The command `report`."""

import argparse

from seq2seq_jax.commands.run_arguments import refuse_overrides
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "Write tables and plots of the results of sweeps, or compare outputs by paired bootstrap."
EXAMPLES = (
    "report runs/cell --output=report",
    "report --compare baseline.txt new.txt --reference=references.txt",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    parser.add_argument(
        "results",
        nargs="*",
        metavar="RESULTS",
        help="Directories of sweeps, or their files of JSON lines.",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="Also write report.md, report.html and plots into this directory.",
    )
    parser.add_argument(
        "--metric",
        metavar="NAME",
        help="The metric to compare by. The default is the sweep's best_metric.",
    )
    parser.add_argument(
        "--by", metavar="FACTORS", help="Group the trials by these factors, separated by commas."
    )
    parser.add_argument(
        "--compare",
        nargs="+",
        metavar="FILE",
        help="Compare these output files with the first of them.",
    )
    parser.add_argument(
        "--reference",
        nargs="+",
        metavar="FILE",
        help="References for --compare: line i has those of line i, separated by tabs.",
    )
    parser.add_argument(
        "--tokenize",
        metavar="NAME",
        default="none",
        help="The sacreBLEU tokenizer for --compare. The default is none, for tokenized text.",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Print the report of the results or of the comparison, and write its files.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    refuse_overrides(overrides, "report reads no configuration; leave it out")
    if arguments.compare:
        return _compare(arguments)
    if arguments.reference:
        raise UserError("--reference", "needs --compare FILE FILE")
    if not arguments.results:
        raise UserError("RESULTS", "name the results of a sweep; use report runs/NAME")
    from seq2seq_jax.sweeps.report import make_sections, sections_to_markdown, write_report
    from seq2seq_jax.sweeps.results import read_result_files
    from seq2seq_jax.utils.logging import say

    results = read_result_files(list(dict.fromkeys(arguments.results)))
    if not results:
        raise UserError(arguments.results[0], "has no results yet")
    by = arguments.by.split(",") if arguments.by else []
    sections = make_sections(results, arguments.metric or "", by)
    print(sections_to_markdown(sections), end="")
    if arguments.output:
        written = write_report(sections, arguments.output)
        say(f"Wrote {', '.join(map(str, written))}")


def _compare(arguments: argparse.Namespace) -> None:
    from seq2seq_jax.sweeps.significance import (
        check_tokenizer,
        compare_outputs,
        comparisons_to_markdown,
        read_outputs,
    )

    if arguments.results:
        raise UserError(
            "RESULTS", f"cannot be combined with --compare; got {' '.join(arguments.results)}"
        )
    if not arguments.reference:
        raise UserError("--reference", "name the references; use --reference FILE")
    check_tokenizer(arguments.tokenize)
    outputs, references = read_outputs(arguments.compare, arguments.reference)
    print(
        comparisons_to_markdown(compare_outputs(outputs, references, tokenize=arguments.tokenize)),
        end="",
    )
