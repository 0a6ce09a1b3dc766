"""The flags of `train` that name tables of data: `--train-file`, `--dev-file` and others.

They become ordinary keys of the configuration, so that config.json describes the run.
"""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

if TYPE_CHECKING:
    from ml_collections import ConfigDict

_TRAIN, _DEV = "input_pipeline_train", "input_pipeline_dev"
_TABLE = "TSVInputPipeline"
_DEV_FRACTION = 0.1
_OTHER_COLUMNS = ("features", "language")


def add_data_arguments(parser: argparse.ArgumentParser, *, train: bool = True) -> None:
    """Add the flags.

    Args:
      parser: The parser of a command.
      train: Whether to add the flags of training; otherwise only those of the dev set.
    """
    group = parser.add_argument_group("data in tables (.tsv or .csv, plain or .gz)")
    if train:
        group.add_argument(
            "--train-file", metavar="FILES", help="Train on the pairs of this table."
        )
    group.add_argument(
        "--dev-file",
        metavar="FILES",
        help="Evaluate on the pairs of this table. In both names, {language} stands for the"
        " languages of several tables.",
    )
    for side in ("source", "target"):
        group.add_argument(
            f"--{side}-column",
            metavar="COLUMN",
            help=f"The name or the number, from 1, of the column of {side}s. The default is the"
            " column with a usual name or, of two columns, the "
            + ("first." if side == "source" else "second."),
        )
    for name in _OTHER_COLUMNS:
        group.add_argument(
            f"--{name}-column",
            metavar="COLUMN",
            help=f"The name or the number of the column of {name}. Without it, none is read.",
        )
    if train:
        group.add_argument(
            "--dev-fraction",
            type=float,
            metavar="X",
            help="Without --dev-file, hold out this fraction of the sources of --train-file as dev"
            f" set. The default is {_DEV_FRACTION}.",
        )
        group.add_argument("--no-dev", action="store_true", help="Train without a dev set.")


def data_overrides(
    arguments: argparse.Namespace, config: "ConfigDict", overrides: Overrides
) -> Overrides:
    """Turn the flags into overrides of the configuration, and log what they mean.

    Args:
      arguments: The command's arguments.
      config: The configuration before the overrides. Data that the tables replace are removed.
      overrides: The overrides of the command line, which take precedence.

    Returns:
      All overrides.

    Raises:
      UserError: The flags contradict each other, or a table cannot be read.
    """
    train_file: str | None = getattr(arguments, "train_file", None)
    dev_file, fraction = arguments.dev_file, getattr(arguments, "dev_fraction", None)
    no_dev = getattr(arguments, "no_dev", False)
    _check_flags(arguments, train_file, fraction)
    if not (train_file or dev_file or no_dev):
        return overrides

    from seq2seq_jax.config import resolve
    from seq2seq_jax.problems.protocol import problem_of
    from seq2seq_jax.utils.logging import say

    if train_file or dev_file:
        flag = "--train-file" if train_file else "--dev-file"
        problem_of(config).require_texts(config, flag)
    added: list[tuple[str, str]] = []
    split = not dev_file and not no_dev
    columns = dict(config[_TRAIN].params)
    for key, text in overrides:
        if key in (f"{_TRAIN}.params.languages", f"{_DEV}.params.languages"):
            columns["languages"] = text
    if train_file:
        added += _table_keys(arguments, columns, _TRAIN, train_file, "train" if split else "all")
    if train_file and split:
        fraction = _DEV_FRACTION if fraction is None else fraction
        added += _table_keys(arguments, columns, _DEV, train_file, "dev")
        added += [(f"{key}.params.dev_fraction", str(fraction)) for key in (_TRAIN, _DEV)]
        say(f"Dev set: {fraction:.1%} of the sources of {train_file}, chosen by their hash")
    if dev_file:
        added += _table_keys(arguments, columns, _DEV, dev_file, "all")
    if no_dev:
        added.append(("eval_every_n_steps", "0"))
        if train_file:  # `eval` must not use a dev set that the recipe has for other data.
            added.append((f"{_DEV}.class", _TABLE))
    for key in (_TRAIN, _DEV):
        if (f"{key}.class", _TABLE) in added:
            _remove_data(config[key])
    resolved = resolve(config, [*added, *overrides])
    if train_file or dev_file:
        written = {key for key, _ in overrides}
        for name in ("source_delimiter", "target_delimiter", "features_delimiter"):
            if f"{_DEV}.params.{name}" not in written:
                added.append((f"{_DEV}.params.{name}", resolved[_TRAIN].params[name]))
    if split:
        _check_parts(resolved)
    if train_file:
        say(_describe_tokens(resolved))
    return [*added, *overrides]


def _remove_data(pipeline: "ConfigDict") -> None:
    """Remove the data of a recipe, so that resolving does not report them as dropped."""
    with pipeline.unlocked():
        for name in ("builtin", "split", "source_files", "target_files", "features_files"):
            if name in pipeline.params:
                del pipeline.params[name]


def _check_flags(
    arguments: argparse.Namespace, train_file: str | None, fraction: float | None
) -> None:
    no_dev = getattr(arguments, "no_dev", False)
    for flag, files in (("--train-file", train_file), ("--dev-file", arguments.dev_file)):
        if files is not None and not files.strip(", "):
            raise UserError(flag, "is empty; name a .tsv or .csv file")
    if no_dev and arguments.dev_file:
        raise UserError("--no-dev", "contradicts --dev-file; leave one of them out")
    if fraction is not None:
        if no_dev or arguments.dev_file:
            other = "--no-dev" if no_dev else "--dev-file"
            raise UserError("--dev-fraction", f"contradicts {other}; leave one of them out")
        if not train_file:
            raise UserError("--dev-fraction", "needs --train-file, whose pairs are divided")
        if not 0 < fraction < 1:
            raise UserError("--dev-fraction", f"must be above 0 and below 1; got {fraction}")
    for side in ("source", "target", *_OTHER_COLUMNS):
        if getattr(arguments, f"{side}_column") and not (train_file or arguments.dev_file):
            raise UserError(f"--{side}-column", "needs a table; use --train-file or --dev-file")


def _table_keys(
    arguments: argparse.Namespace, columns: Mapping[str, str], key: str, files: str, part: str
) -> list[tuple[str, str]]:
    """Detect the columns of tables, log them, and return the keys of their input pipeline.

    `columns` holds the columns of the configuration; the flags take precedence.
    """
    from seq2seq_jax.data.readers.language_files import language_files
    from seq2seq_jax.data.readers.table_sniffing import detect_columns
    from seq2seq_jax.utils.logging import say

    given = arguments.source_column or "", arguments.target_column or ""
    named = language_files(files, columns.get("languages", ""), f"{key}.params", "files")
    names = [name for name, _ in named]
    others = {
        name: getattr(arguments, name) or columns.get(name, "")
        for name in (f"{other}_column" for other in _OTHER_COLUMNS)
    }
    others = {name: column for name, column in others.items() if column}
    tables = [detect_columns(name, *given, others) for name in names]
    first = tables[0]
    for name, table in zip(names, tables, strict=True):
        if (*table[:4], table.others) != (*first[:4], first.others):
            raise UserError(
                name,
                f"has other columns than {names[0]}: {table.describe()}; {first.describe()};"
                " give all files the same header and format",
            )
    if part != "dev":
        say(f"{files}: {first.describe()}")
        unread = first.unread_features()
        if unread:
            say(f"The column {unread} is not read; --features-column={unread} reads it as features")
    params = {
        "files": files,
        "source_column": first.source_column,
        "target_column": first.target_column,
        "header": str(first.header),
        "format": first.format,
        "part": part,
        "languages": columns.get("languages", ""),
        **first.others,
    }
    return [(f"{key}.class", _TABLE), *((f"{key}.params.{k}", v) for k, v in params.items())]


def _check_parts(config: "ConfigDict") -> None:
    """Check that both parts of the divided table have pairs."""
    from seq2seq_jax.data.readers.input_pipeline import build_pipeline
    from seq2seq_jax.data.readers.tabular_text import TSVInputPipeline

    for key, what in ((_TRAIN, "leaves none to train on"), (_DEV, "holds out none")):
        params = config[key].params
        pairs = build_pipeline(TSVInputPipeline, params, f"{key}.params")
        if next(iter(pairs), None) is None:
            raise UserError(
                "--dev-fraction",
                f"{params.dev_fraction} of the sources of {params.files} {what}; use another"
                " fraction, --dev-file FILE or --no-dev",
            )


def _describe_tokens(config: "ConfigDict") -> str:
    """Return how both sides are split into tokens, and a hint if that looks wrong."""
    from itertools import islice

    from seq2seq_jax.config.feature_rules import reads_features
    from seq2seq_jax.data.languages import split_tag
    from seq2seq_jax.data.readers.input_pipeline import build_pipeline
    from seq2seq_jax.data.readers.tabular_text import TSVInputPipeline

    params, subwords = config[_TRAIN].params, config.subwords
    pipeline = build_pipeline(TSVInputPipeline, params, f"{_TRAIN}.params")
    examples = islice(pipeline, 1000)
    sides = zip(*((split_tag(source)[1], target) for source, target, *_ in examples), strict=True)
    parts, hints = [], []
    for side, texts in zip(("source", "target"), sides, strict=False):
        delimiter = params[f"{side}_delimiter"]
        if subwords.kind and subwords.sides in ("both", side):
            parts.append(f"{side}s into subwords ({subwords.kind})")
        elif not delimiter:
            parts.append(f"{side}s into characters")
        else:
            parts.append(f"{side}s at {delimiter!r}")
            if not any(delimiter in text.strip() for text in texts):
                hints.append(
                    f"every {side} is one token; for characters use"
                    f" --config.{_TRAIN}.params.{side}_delimiter="
                )
    text = f"Tokens: {' and '.join(parts)}"
    if reads_features(config):
        text += f"; features at {params.features_delimiter!r}"
    return "; ".join([text, *hints])
