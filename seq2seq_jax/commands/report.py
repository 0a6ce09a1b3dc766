"""The command `report`."""

import argparse
import os

from seq2seq_jax.commands.run_arguments import add_trust, refuse_overrides, trust_of
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "Write tables and plots of sweeps, or compare runs or output files by paired bootstrap."
EXAMPLES = (
    "report runs/cell --output=report",
    "report --compare runs/baseline runs/new",
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
        help="The metric to compare by. The default is the sweep's best_metric. With --compare,"
        " names separated by commas, of bleu, chrf, chrf++, ter, token_error_rate and"
        " sequence_error_rate; the default is all but chrf++ and ter.",
    )
    parser.add_argument(
        "--by", metavar="FACTORS", help="Group the trials by these factors, separated by commas."
    )
    parser.add_argument(
        "--compare",
        nargs="+",
        metavar="FILE",
        help="Compare these output files with the first of them; or directories of runs, whose"
        " dev sets are decoded.",
    )
    parser.add_argument(
        "--reference",
        nargs="+",
        metavar="FILE",
        help="References for --compare: line i has those of line i, separated by tabs.",
    )
    parser.add_argument(
        "--column",
        type=int,
        metavar="N",
        help="The files of --compare and --reference are tables, and this column holds the outputs"
        " and the references: 2 for the files of the SIGMORPHON shared tasks.",
    )
    parser.add_argument(
        "--characters",
        action="store_true",
        help="With --compare, the token error rate counts characters.",
    )
    add_trust(parser)
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
    if arguments.compare:
        return _compare(arguments, overrides)
    refuse_overrides(overrides, "report reads no configuration; leave it out")
    for name in ("reference", "column", "characters"):
        if getattr(arguments, name):
            raise UserError(f"--{name}", "needs --compare FILE FILE")
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


def _compare(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.sweeps.run_outputs import decode_dev_sets
    from seq2seq_jax.sweeps.significance import (
        DEFAULT_METRICS,
        check_metrics,
        check_tokenizer,
        compare_outputs,
        comparisons_to_markdown,
        read_outputs,
    )

    if arguments.results:
        raise UserError(
            "RESULTS", f"cannot be combined with --compare; got {' '.join(arguments.results)}"
        )
    metrics = arguments.metric.split(",") if arguments.metric else DEFAULT_METRICS
    check_metrics(metrics)
    check_tokenizer(arguments.tokenize)
    by_character = arguments.characters
    if any(map(os.path.isdir, arguments.compare)):
        for name in ("reference", "column"):
            if getattr(arguments, name):
                raise UserError(f"--{name}", "is for files; runs have a dev set, so leave it out")
        decoded = decode_dev_sets(arguments.compare, overrides, trust_of(arguments, overrides))
        outputs, references = decoded.outputs, decoded.references
        by_character = by_character or decoded.by_character
    else:
        refuse_overrides(overrides, "output files have no configuration; leave it out")
        if not arguments.reference:
            raise UserError("--reference", "name the references; use --reference FILE")
        if arguments.column is not None and arguments.column < 1:
            raise UserError("--column", f"must be at least 1; got {arguments.column}")
        outputs, references = read_outputs(arguments.compare, arguments.reference, arguments.column)
    comparisons = compare_outputs(
        outputs,
        references,
        tokenize=arguments.tokenize,
        metrics=metrics,
        by_character=by_character,
    )
    print(comparisons_to_markdown(comparisons), end="")
