"""The command `vocab`."""

import argparse
import sys

from seq2seq_jax.commands.run_arguments import refuse_overrides
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError, quantity

HELP = "Build a vocabulary from text: each line is a token and its count, frequent tokens first."
EXAMPLES = (
    "vocab train.en --min-frequency=2 --output=vocab.en",
    'vocab --delimiter="" --max-size=100 < words.txt',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="A text file, plain or .gz. Without any, standard input is read.",
    )
    parser.add_argument(
        "--delimiter",
        default=" ",
        help="What separates tokens; '' makes every character a token. The default is a space.",
    )
    parser.add_argument(
        "--min-frequency",
        type=int,
        default=0,
        metavar="N",
        help="Keep tokens that occur more often than this. The default is %(default)s.",
    )
    parser.add_argument(
        "--max-size",
        type=int,
        default=0,
        metavar="N",
        help="Keep at most this many tokens; 0 keeps all.",
    )
    parser.add_argument("--lowercase", action="store_true", help="Lower-case the text first.")
    parser.add_argument(
        "--output", metavar="FILE", help="Write this file instead of standard output."
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Count the tokens, and write the vocabulary.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    refuse_overrides(overrides, "vocab reads no configuration; leave it out")
    from collections import Counter

    from seq2seq_jax.commands.data.text_files import STANDARD_INPUT, input_lines, write_lines
    from seq2seq_jax.data.tokenizers import DelimiterTokenizer
    from seq2seq_jax.data.vocabulary import vocabulary_from_counts
    from seq2seq_jax.utils.logging import progress_count, say

    for flag, bound in (
        ("--min-frequency", arguments.min_frequency),
        ("--max-size", arguments.max_size),
    ):
        if bound < 0:
            raise UserError(flag, f"must be at least 0; got {bound}")
    split = DelimiterTokenizer(arguments.delimiter, lowercase=arguments.lowercase).split
    counts: Counter[str] = Counter()
    number = 0
    with progress_count("reading lines") as show:
        for number, line in enumerate(input_lines(arguments.files), start=1):
            counts.update(split(line))
            if number % 10_000 == 0:
                show(number)

    tokens = vocabulary_from_counts(
        counts.items(), arguments.min_frequency, arguments.max_size
    ).tokens
    total = counts.total()
    if not tokens:
        raise UserError(
            ", ".join(arguments.files) or STANDARD_INPUT,
            f"no token is left of {total:,} in {quantity(number, 'line')}; "
            + ("use a smaller --min-frequency" if total else "the text is empty"),
        )
    lines = (f"{token}\t{counts[token]}" for token in tokens)
    if arguments.output:
        write_lines(arguments.output, lines)
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines)
    kept, rarest = sum(counts[token] for token in tokens), counts[tokens[-1]]
    say(
        f"{quantity(number, 'line')}, {quantity(total, 'token')}, {len(counts):,} of them"
        f" different; kept {len(tokens):,}, which make {kept / total:.2%} of the text; the rarest"
        f" occurs {quantity(rarest, 'time')}"
    )
