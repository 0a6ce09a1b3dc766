"""The command `stats`."""

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from seq2seq_jax.commands.run_arguments import add_trust, trust_of
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

if TYPE_CHECKING:
    from ml_collections import ConfigDict

    from seq2seq_jax.data.readers.input_pipeline import Example
    from seq2seq_jax.data.unicode_forms import FileForm
    from seq2seq_jax.reports.corpus_statistics import Split

HELP = "Show statistics of a corpus, and plot the lengths of its texts."
EXAMPLES = (
    "stats --config=configs/g2p.py",
    "stats --source=train.en --target=train.de --plot=lengths.png",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    parser.add_argument("--config", metavar="FILE", help="Read the corpus of this configuration.")
    add_trust(parser)
    parser.add_argument(
        "--part",
        choices=("train", "dev"),
        default="train",
        help="Which corpus of the configuration. The default is %(default)s.",
    )
    parser.add_argument(
        "--source",
        metavar="FILES",
        help="Files of sources, separated by commas, or a .tsv or .csv file of pairs. Without these"
        " and --config, standard input is read: a source, a tab and its target on each line.",
    )
    parser.add_argument(
        "--target",
        metavar="FILES",
        help="Files of targets; line i belongs to line i of the sources.",
    )
    for side in ("source", "target"):
        parser.add_argument(
            f"--{side}-column",
            metavar="COLUMN",
            default="",
            help=f"The column of {side}s in a table: its name, or its number, from 1.",
        )
        parser.add_argument(
            f"--{side}-delimiter",
            metavar="TEXT",
            help=f"What separates {side} tokens; '' makes every character a token. The default"
            " is a space.",
        )
    parser.add_argument("--lowercase", action="store_true", help="Lower-case the sources first.")
    parser.add_argument(
        "--plot",
        metavar="PNG",
        default="lengths.png",
        help="The plot of the lengths; '' draws none. The default is %(default)s.",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Print the statistics, and draw the lengths.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    from seq2seq_jax.data.unicode_forms import format_forms
    from seq2seq_jax.reports.corpus_statistics import corpus_statistics, describe_corpus
    from seq2seq_jax.utils.logging import say

    corpus = _corpus(arguments, overrides)
    statistics = corpus_statistics(corpus.pairs, *corpus.splits)
    if not len(statistics):
        raise UserError(corpus.where, "holds no pairs")
    print(describe_corpus(statistics))
    forms, warnings = corpus.find_forms()
    print("\nUnicode normalization form", *format_forms(forms), sep="\n  ")
    for warning in warnings:
        say(f"warning: {warning}")
    if arguments.plot:
        from seq2seq_jax.reports.length_plot import plot_lengths

        lengths = statistics.source.lengths, statistics.target.lengths
        say(f"Plot in {plot_lengths(*lengths, arguments.plot)}")


class _Corpus(NamedTuple):
    """The name of a corpus, for errors, its pairs, how both sides are split, and their forms."""

    where: str
    pairs: Iterable["Example"]
    splits: tuple["Split", "Split"]
    find_forms: Callable[[], tuple[list["FileForm"], list[str]]]


def _corpus(arguments: argparse.Namespace, overrides: Overrides) -> _Corpus:
    from seq2seq_jax.data.languages import TaggedTokenizer
    from seq2seq_jax.data.subwords import WordTokenizers
    from seq2seq_jax.data.tokenizers import DelimiterTokenizer
    from seq2seq_jax.data.unicode_forms import FormCounter, file_forms

    words = WordTokenizers(DelimiterTokenizer(" "), DelimiterTokenizer(" "))
    pairs: Iterable[Example]
    if arguments.config:
        from seq2seq_jax.config import load_config, resolve
        from seq2seq_jax.problems.protocol import problem_of
        from seq2seq_jax.problems.setup import make_pipeline
        from seq2seq_jax.storage.workdir import word_tokenizers

        if arguments.source or arguments.target:
            raise UserError("--config", "names a corpus, and so do --source and --target; which?")
        config = resolve(load_config(arguments.config, trust_of(arguments, overrides)), overrides)
        where = f"input_pipeline_{arguments.part}"
        problem_of(config).require_texts(config, f"{where}.class")
        pairs, words = make_pipeline(config, where), word_tokenizers(config)
    elif overrides:
        raise UserError(
            f"--config.{overrides[0][0]}", "changes a configuration; name --config=FILE"
        )
    elif arguments.source or arguments.target:
        where, pairs = "--source", _files(arguments)
    else:
        from seq2seq_jax.commands.data.text_files import STANDARD_INPUT

        where, pairs = STANDARD_INPUT, FormCounter(_standard_input(), STANDARD_INPUT)
    source, target = (
        words_of_side
        if (given := getattr(arguments, f"{side}_delimiter")) is None
        else replace(words_of_side, delimiter=given)
        for side, words_of_side in (("source", words.source), ("target", words.target))
    )
    source = replace(source, lowercase=source.lowercase or arguments.lowercase)

    def find_forms() -> "tuple[list[FileForm], list[str]]":
        if arguments.config:
            return _forms_of_parts(config, arguments.part)
        if isinstance(pairs, FormCounter):
            return pairs.forms, []
        return file_forms(pairs, where), []

    split = TaggedTokenizer(source).split if words.tagged else source.split
    return _Corpus(where, pairs, (split, target.split), find_forms)


def _forms_of_parts(config: "ConfigDict", part: str) -> tuple[list["FileForm"], list[str]]:
    """Return the forms of a part of a configuration, and warnings if both parts differ."""
    from seq2seq_jax.data.unicode_forms import file_forms, form_warnings
    from seq2seq_jax.problems.setup import make_pipeline
    from seq2seq_jax.storage.workdir import normalized_sides

    forms = {}
    for each in ("train", "dev"):
        try:
            forms[each] = file_forms(make_pipeline(config, f"input_pipeline_{each}"), f"{each} set")
        except UserError:
            if each == part:
                raise
    if len(forms) == 1:  # A configuration may lack the other part.
        return forms[part], []
    return forms[part], form_warnings(forms["train"], forms["dev"], normalized_sides(config))


def _files(arguments: argparse.Namespace) -> Iterable["Example"]:
    from seq2seq_jax.data.readers.parallel_text import ParallelTextInputPipeline
    from seq2seq_jax.data.readers.table_sniffing import detect_columns
    from seq2seq_jax.data.readers.tabular_text import TSVInputPipeline, format_of_name
    from seq2seq_jax.utils.logging import say

    if arguments.source and not arguments.target and format_of_name(arguments.source):
        columns = detect_columns(arguments.source, arguments.source_column, arguments.target_column)
        say(f"{arguments.source}: {columns.describe()}")
        return TSVInputPipeline(arguments.source, *columns[:2], "", columns.header, key="--source")
    for side in ("source", "target"):
        if not getattr(arguments, side):
            raise UserError(f"--{side}", "is missing: every source file needs its target file")
    return ParallelTextInputPipeline(arguments.source, arguments.target, key="command line")


def _standard_input() -> Iterator["Example"]:
    from seq2seq_jax.commands.data.text_files import STANDARD_INPUT, standard_input
    from seq2seq_jax.data.readers.input_pipeline import TextPair

    for number, line in enumerate(standard_input(), start=1):
        columns = line.split("\t")
        if len(columns) != 2:
            raise UserError(
                f"{STANDARD_INPUT}:{number}",
                f"must be a source, a tab and its target; has {len(columns) - 1} tabs",
            )
        yield TextPair(*columns)
