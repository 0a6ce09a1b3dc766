"""The command `init`."""

import argparse
import os
from pathlib import Path

from seq2seq_jax.commands.configuration.starters import TASKS, starter
from seq2seq_jax.commands.run_arguments import refuse_overrides
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "Write a commented configuration for your files, or for a small sample."
EXAMPLES = (
    "init --task=translation --train-file=train.tsv --dev-file=dev.tsv",
    "init --task=inflection --train-file=train.tsv --features-column=3",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    parser.add_argument("--task", choices=TASKS, required=True, help="What the model is to learn.")
    parser.add_argument(
        "--train-file",
        metavar="FILE",
        help="The training set: a .tsv or .csv file with a source and a target in each row; for"
        " captions, the name of an image and a caption. Without it, the command writes a small"
        " sample in the directory TASK_sample next to the configuration.",
    )
    parser.add_argument("--dev-file", metavar="FILE", help="The dev set, in the same form.")
    for side in ("source", "target"):
        parser.add_argument(
            f"--{side}-column",
            metavar="COLUMN",
            default="",
            help=f"The {side} column, by name or by number, from 1. Without it, it is detected.",
        )
    parser.add_argument(
        "--features-column",
        metavar="COLUMN",
        default="",
        help="The column of features, by name or by number, for inflection. Without it, the column"
        " with a usual name or, of three columns without names, the last.",
    )
    parser.add_argument(
        "--image-dir",
        metavar="DIR",
        help="The directory of the images; without it, that of the training set.",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="The configuration, a Python file that does not exist yet. The default is my_TASK.py.",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Write the configuration, and print its name.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument is wrong, or a file would be overwritten.
    """
    refuse_overrides(overrides, "init writes a new configuration; change the file that it writes")
    from seq2seq_jax.commands.configuration.samples import write_sample
    from seq2seq_jax.commands.data.text_files import write_lines
    from seq2seq_jax.utils.atomic_io import atomic_directory
    from seq2seq_jax.utils.logging import say

    task = arguments.task
    output = Path(arguments.output or f"my_{task}.py")
    if output.suffix != ".py":
        raise UserError("--output", f"must be a Python file; got {output}; use {output}.py")
    files = {"train": arguments.train_file, "dev": arguments.dev_file}
    files = {split: file for split, file in files.items() if file}
    for name in (str(output), *files.values(), arguments.image_dir or ""):
        if not name.isprintable():  # It would not be a line of UTF-8 text.
            raise UserError(ascii(name), "has characters that cannot be printed; use another name")
    _require_absent(output, f"--output={output.stem}_2.py")
    if files and "train" not in files:
        raise UserError("--dev-file", "needs a training set; use --train-file=FILE as well")
    if not files:
        sample = output.parent / f"{task}_sample"
        _require_absent(sample, "--output=DIR/NAME.py, and the sample is in DIR")
        with atomic_directory(sample) as partial:
            write_sample(task, partial)
        say(f"Wrote a sample to {sample}/")
        files = {split: str(sample / f"{split}.tsv") for split in ("train", "dev")}
    features = arguments.features_column
    if features and task != "inflection":
        raise UserError("--features-column", "is for --task=inflection; leave it out")
    text = starter(
        task,
        output,
        files,
        image_dir=arguments.image_dir or str(Path(files["train"]).parent),
        columns=(arguments.source_column, arguments.target_column),
        features_column=features,
    )
    write_lines(output, text.splitlines())
    say(f"Wrote {output}; train with `seq2seq-jax train --config={output}`")
    print(output)


def _require_absent(path: Path, remedy: str) -> None:
    if os.path.lexists(path):
        raise UserError(str(path), f"exists, and init overwrites nothing; use {remedy}")
