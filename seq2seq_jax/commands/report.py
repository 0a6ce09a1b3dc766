"""Makes something to read of the results of sweeps, or compares outputs."""

import argparse

from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "make tables and plots of what sweeps found, or compare outputs by paired bootstrap"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", nargs="*", metavar="RESULTS", help="folders of sweeps, or files of JSON lines"
    )
    parser.add_argument(
        "--output", metavar="DIR", help="also write report.md, report.html and pictures there"
    )
    parser.add_argument("--metric", metavar="NAME", help="to compare by; default: best_metric")
    parser.add_argument("--by", metavar="FACTORS", help="group by these, with commas between")
    parser.add_argument(
        "--compare", nargs="+", metavar="FILE", help="outputs to compare with the first of them"
    )
    parser.add_argument(
        "--reference",
        nargs="+",
        metavar="FILE",
        help="for --compare: line i has the references of line i, with tabs between several",
    )
    parser.add_argument(
        "--tokenize",
        metavar="NAME",
        default="none",
        help="for --compare: sacreBLEU's tokenizer; default: none, the words are split already",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    if overrides:
        raise UserError(overrides[0][0], "report reads no configuration; leave it out")
    if arguments.compare:
        return _compare(arguments)
    if arguments.reference:
        raise UserError("--reference", "is for --compare FILE FILE")
    if not arguments.results:
        raise UserError("RESULTS", "which results? runs/NAME of a sweep, say")
    from seq2seq_jax.sweeps.report import in_markdown, make_sections, write_report
    from seq2seq_jax.sweeps.results import read_all
    from seq2seq_jax.utils.logging import say

    results = read_all(list(dict.fromkeys(arguments.results)))
    if not results:
        raise UserError(arguments.results[0], "no trial has ended yet")
    by = arguments.by.split(",") if arguments.by else []
    sections = make_sections(results, arguments.metric or "", by)
    print(in_markdown(sections), end="")
    if arguments.output:
        written = write_report(sections, arguments.output)
        say(f"in {', '.join(map(str, written))}")


def _compare(arguments: argparse.Namespace) -> None:
    from sacrebleu.metrics.bleu import BLEU

    from seq2seq_jax.sweeps.significance import compare_outputs, describe, read_outputs

    if arguments.results:
        raise UserError("RESULTS", f"are not for --compare; got {' '.join(arguments.results)}")
    if not arguments.reference:
        raise UserError("--reference", "which are the references? --reference FILE")
    if arguments.tokenize not in BLEU.TOKENIZERS:
        known = ", ".join(BLEU.TOKENIZERS)
        raise UserError("--tokenize", f"must be one of: {known}; got {arguments.tokenize}")
    outputs, references = read_outputs(arguments.compare, arguments.reference)
    print(describe(compare_outputs(outputs, references, tokenize=arguments.tokenize)), end="")
