"""The command `configs`."""

import argparse
import ast
from pathlib import Path

from ml_collections import ConfigDict

from seq2seq_jax.commands.run_arguments import refuse_overrides
from seq2seq_jax.config import load_config
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.config.recipes import recipe_files

HELP = "List the recipes: configurations that come with the package."
EXAMPLES = (
    "configs",
    "configs --directory",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    parser.add_argument(
        "--directory",
        action="store_true",
        help="Print only the directory of the recipes, to read or to copy them.",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Print a table of the recipes.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: There is an override.
    """
    refuse_overrides(overrides, "configs reads no configuration; leave it out")
    from seq2seq_jax.utils.logging import say

    recipes = recipe_files()
    if arguments.directory:
        print(next(iter(recipes.values())).parent)
        return
    rows = [("name", "extra", "data", "summary")]
    for name, file in recipes.items():
        config = load_config(file)
        rows.append((name, _extra(config), _data(config), _summary(file)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    say(
        "\nTrain one with `seq2seq-jax train --config=NAME`. An extra is an optional dependency of"
        " the package.\nWrite a configuration for your files with `seq2seq-jax init --task=TASK`."
    )


def _summary(file: Path) -> str:
    """Return the first line of a file's docstring."""
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def _extra(config: ConfigDict) -> str:
    """Return the optional dependency that a recipe needs; empty: none."""
    if config.model == "Image2Seq":
        return "images"
    train = config.input_pipeline_train
    if train["class"] == "TFDSInputPipeline":
        return "tfds"
    return "g2p" if train.params.get("builtin") == "cmudict" else ""


def _data(config: ConfigDict) -> str:
    """Return where the training data of a recipe come from."""
    params = config.input_pipeline_train.params
    if files := params.get("source_files"):
        return f"{Path(files).parent}/"
    return params.get("builtin") or params.get("name") or "your files"
