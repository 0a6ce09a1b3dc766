"""Builds a vocabulary from text."""

import argparse
import sys

from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "build a vocabulary from text: a token, a tab and its count a line, the frequent ones first"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="plain or .gz; standard input if there are none"
    )
    parser.add_argument(
        "--delimiter",
        default=" ",
        help="what separates tokens; '' makes every character a token (default: a blank)",
    )
    parser.add_argument(
        "--min_frequency",
        type=int,
        default=0,
        metavar="N",
        help="keep tokens that occur more often than this (default: %(default)s)",
    )
    parser.add_argument(
        "--max_size", type=int, default=0, metavar="N", help="most tokens to keep; 0: all"
    )
    parser.add_argument("--lowercase", action="store_true", help="lower-case the text first")
    parser.add_argument("--output", metavar="FILE", help="write this in place of standard output")


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from collections import Counter

    from seq2seq_jax.commands.text_files import STANDARD_INPUT, input_lines, write_lines
    from seq2seq_jax.data.tokenizers import DelimiterTokenizer
    from seq2seq_jax.data.vocabulary import most_frequent
    from seq2seq_jax.utils.logging import progress_count, say

    for name in ("min_frequency", "max_size"):
        if getattr(arguments, name) < 0:
            raise UserError(f"--{name}", f"must be at least 0; got {getattr(arguments, name)}")
    split = DelimiterTokenizer(arguments.delimiter, lowercase=arguments.lowercase).split
    counts: Counter[str] = Counter()
    number = 0
    with progress_count("reading lines") as show:
        for number, line in enumerate(input_lines(arguments.files), start=1):
            counts.update(split(line))
            if number % 10_000 == 0:
                show(number)

    tokens = most_frequent(counts.items(), arguments.min_frequency, arguments.max_size).tokens
    total = counts.total()
    if not tokens:
        raise UserError(
            ", ".join(arguments.files) or STANDARD_INPUT,
            f"no token is left of {total:,} in {number:,} lines; "
            + ("a smaller --min_frequency would do" if total else "there must be some text"),
        )
    lines = (f"{token}\t{counts[token]}" for token in tokens)
    if arguments.output:
        write_lines(arguments.output, lines)
    else:
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
        sys.stdout.writelines(f"{line}\n" for line in lines)
    kept, rarest = sum(counts[token] for token in tokens), counts[tokens[-1]]
    say(
        f"{number:,} lines, {total:,} tokens, {len(counts):,} of them different; kept"
        f" {len(tokens):,}, which make {kept / total:.2%} of the text; the rarest occurs"
        f" {rarest:,} time{'' if rarest == 1 else 's'}"
    )
