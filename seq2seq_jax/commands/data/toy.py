"""The command `toy`."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from seq2seq_jax.commands.run_arguments import refuse_overrides
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.data.readers.toy import (
    MAX_LENGTH,
    MIN_LENGTH,
    SEED,
    SIZES,
    TASKS,
    VOCAB_SIZE,
    toy_pairs,
)
from seq2seq_jax.utils.errors import UserError, quantity

HELP = "Write a toy corpus of sequences to copy or to reverse."
EXAMPLES = (
    "toy copy data/copy",
    "toy reverse data/reverse --max-length=10 --vocab-size=50",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    parser.add_argument("task", choices=TASKS, help="How the targets are made from the sources.")
    parser.add_argument(
        "folder",
        metavar="DIR",
        help="The directory for train/, dev/ and test/, each with sources.txt and targets.txt, and"
        " for train/vocab.sources.txt and train/vocab.targets.txt.",
    )
    numbers = {split: (size, f"The number of pairs in {split}/.") for split, size in SIZES.items()}
    numbers |= {
        "min-length": (MIN_LENGTH, "The number of tokens in the shortest sequence."),
        "max-length": (MAX_LENGTH, "The number of tokens in the longest sequence."),
        "vocab-size": (VOCAB_SIZE, "The number of different tokens."),
        "seed": (SEED, "The seed of the random numbers."),
    }
    for name, (default, what) in numbers.items():
        what += " The default is %(default)s."
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=what)


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Write the corpus, and print its directory.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    refuse_overrides(overrides, "toy reads no configuration; leave it out")
    from seq2seq_jax.commands.data.text_files import write_lines
    from seq2seq_jax.data.vocabulary import build_vocabulary
    from seq2seq_jax.utils.logging import say

    _check(arguments)
    for split in SIZES:
        size = getattr(arguments, split)
        if not size:
            continue
        for side, name in enumerate(("sources", "targets")):
            folder = Path(arguments.folder, split)
            write_lines(folder / f"{name}.txt", _texts(arguments, split, side))
            if split == "train":
                texts = (text.split(" ") for text in _texts(arguments, split, side))
                write_lines(folder / f"vocab.{name}.txt", build_vocabulary(texts).tokens)
        lengths = f"{arguments.min_length} to {arguments.max_length}"
        say(f"{split}: {quantity(size, 'pair')} of {lengths} tokens")
    print(arguments.folder)


def _texts(arguments: argparse.Namespace, split: str, side: int) -> Iterator[str]:
    pairs = toy_pairs(
        arguments.task,
        split,
        getattr(arguments, split),
        vocab_size=arguments.vocab_size,
        min_length=arguments.min_length,
        max_length=arguments.max_length,
        seed=arguments.seed,
    )
    return (pair[side] for pair in pairs)


def _check(arguments: argparse.Namespace) -> None:
    least = {split: 0 for split in SIZES}
    least |= {"min-length": 1, "max-length": arguments.min_length, "vocab-size": 1, "seed": 0}
    for name, bound in least.items():
        given = getattr(arguments, name.replace("-", "_"))
        if given < bound:
            raise UserError(f"--{name}", f"must be at least {bound}; got {given}")
