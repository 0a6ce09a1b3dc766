"""The command `augment`."""

import argparse
from typing import NamedTuple

from seq2seq_jax.commands.run_arguments import refuse_overrides
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError, quantity

HELP = "Add artificial pairs to a table: hallucinated stems and copies of targets."
EXAMPLES = (
    "augment train.tsv augmented.tsv --hallucinate=10000 --source-column=1 --target-column=2"
    " --features-column=3",
    "augment train.tsv copies.tsv --copy=1000 --only-new --seed=1",
)

_COLUMNS = ("source", "target", "features", "language")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    parser.add_argument("input", metavar="FILE", help="A .tsv or .csv file, plain or .gz.")
    parser.add_argument(
        "output", metavar="OUTPUT", help="The table to write, with the columns of FILE."
    )
    parser.add_argument(
        "--hallucinate",
        type=int,
        default=0,
        metavar="N",
        help="Add this many pairs with random letters in place of letters of the stem, which is"
        " what source and target share.",
    )
    parser.add_argument(
        "--copy",
        type=int,
        default=0,
        metavar="N",
        help="Add this many pairs whose source is a target. Their features are COPY.",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="The default is 0.")
    parser.add_argument(
        "--only-new",
        action="store_true",
        help="Write only the new rows.",
    )
    for name in _COLUMNS:
        parser.add_argument(
            f"--{name}-column",
            metavar="COLUMN",
            default="",
            help=f"The name or the number, from 1, of the column of {name}"
            f"{'s' if name in ('source', 'target') else ''}.",
        )
        if name in ("source", "target"):
            parser.add_argument(
                f"--{name}-delimiter",
                metavar="TEXT",
                default="",
                help=f"Separates the letters of {name}s. The default is nothing.",
            )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Read the table, make the pairs, and write the new table.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument or a file is wrong, or no pair has a stem.
    """
    refuse_overrides(overrides, "augment reads no configuration; leave it out")
    from seq2seq_jax.commands.data.text_files import write_table
    from seq2seq_jax.data.augmentation import COPY, Augmenter
    from seq2seq_jax.data.languages import split_tag, tag_source
    from seq2seq_jax.data.tokenizers import DelimiterTokenizer
    from seq2seq_jax.utils.logging import say

    _check(arguments)
    table = _read_table(arguments)
    source, target = table.columns["source"], table.columns["target"]
    features, language = table.columns.get("features"), table.columns.get("language")
    pairs = [
        (tag_source(row[source], "" if language is None else row[language].strip()), row[target])
        for row in table.rows
    ]
    augmenter = Augmenter(
        pairs,
        DelimiterTokenizer(arguments.source_delimiter),
        DelimiterTokenizer(arguments.target_delimiter),
        arguments.input,
    )
    hallucinated = augmenter.hallucinate(arguments.hallucinate, arguments.seed)
    new_rows = []
    for number, pair in enumerate([*hallucinated, *augmenter.copy(arguments.copy, arguments.seed)]):
        row = list(table.rows[pair.origin])
        row[source] = pair.source if language is None else split_tag(pair.source)[1]
        row[target] = pair.target
        if features is not None and number >= len(hallucinated):
            row[features] = COPY
        new_rows.append(row)
    kept = [] if arguments.only_new else table.rows
    write_table(arguments.output, [*table.header, *kept, *new_rows])
    say(
        quantity(len(new_rows), "new row")
        + (f" after {len(kept):,} of {arguments.input}" if kept else "")
    )
    print(arguments.output)


class _Table(NamedTuple):
    """The rows of a table, its header (none or one row), and the index of each column by name."""

    header: list[list[str]]
    rows: list[list[str]]
    columns: dict[str, int]


def _read_table(arguments: argparse.Namespace) -> _Table:
    from seq2seq_jax.data.readers.table_sniffing import detect_columns
    from seq2seq_jax.data.readers.tabular_text import format_of_name, table_rows
    from seq2seq_jax.utils.logging import say

    given = {name: getattr(arguments, f"{name}_column") for name in _COLUMNS}
    others = {f"{name}_column": given[name] for name in _COLUMNS[2:] if given[name]}
    found = detect_columns(arguments.input, given["source"], given["target"], others)
    say(f"{arguments.input}: {found.describe()}")
    rows = []
    columns = {"source": found.source_column, "target": found.target_column}
    columns |= {name.removesuffix("_column"): column for name, column in found.others.items()}
    indices = {
        name: found.first_row.index(column) if found.header else int(column) - 1
        for name, column in columns.items()
    }
    needed = max(indices.values()) + 1
    for number, row in table_rows(arguments.input, found.format or format_of_name(arguments.input)):
        if len(row) < needed:
            what = f"has {quantity(len(row), 'column')}, but column {needed} is needed"
            raise UserError(f"{arguments.input}:{number}", what)
        rows.append(row)
    return _Table(rows[: found.header], rows[found.header :], indices)


def _check(arguments: argparse.Namespace) -> None:
    for name, value in (
        ("--hallucinate", arguments.hallucinate),
        ("--copy", arguments.copy),
        ("--seed", arguments.seed),
    ):
        if not 0 <= value <= 10_000_000:
            raise UserError(name, f"must be 0 to 10000000; got {value}")
    if not arguments.hallucinate and not arguments.copy:
        raise UserError("--hallucinate", "is 0, and so is --copy; use a number of pairs to add")
