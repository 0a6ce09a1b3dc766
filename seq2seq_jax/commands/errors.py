"""The command `errors`."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seq2seq_jax.commands.run_arguments import (
    add_breakdowns,
    add_workdir,
    breakdowns_of,
    open_text_run,
)
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError, quantity

HELP = "Show what a trained model gets wrong on its dev set (`input_pipeline_dev`)."
EXAMPLES = (
    "errors --workdir=runs/g2p",
    "errors --workdir=runs/g2p --by=overlap,length --worst=50 --output=errors.html",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_workdir(parser)
    add_breakdowns(parser)
    parser.add_argument(
        "--characters",
        action="store_true",
        help="Align outputs and references character by character instead of token by token.",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="The page. The default is error_report.html in the run's directory.",
    )
    parser.add_argument(
        "--worst",
        type=int,
        default=300,
        metavar="N",
        help="The number of sentences on the page, worst first. The default is %(default)s.",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Decode the dev set, print the summary of the errors, and write the page.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    from seq2seq_jax.data.report import format_counts
    from seq2seq_jax.devices.parallel import Devices
    from seq2seq_jax.evaluation.grouped_results import grouped_results, grouped_table
    from seq2seq_jax.evaluation.metrics import BleuMetricSpec, ErrorRateMetricSpec, text_metrics
    from seq2seq_jax.evaluation.run_evaluation import make_groupings
    from seq2seq_jax.inference.loading import load_ensemble
    from seq2seq_jax.inference.predictor import Predictor
    from seq2seq_jax.problems.text_data import load_dev_set, make_dev_data
    from seq2seq_jax.reports.error_report import (
        error_report,
        terminal_summary,
        write_error_report,
    )
    from seq2seq_jax.storage.workdir import word_tokenizers
    from seq2seq_jax.utils.logging import say

    if arguments.worst < 0:
        raise UserError("--worst", f"must be at least 0; got {arguments.worst}")
    workdir, config = open_text_run(arguments, overrides)
    members = load_ensemble(workdir, config)
    tokenizers = members[0].tokenizers
    dev_set = load_dev_set(config, tokenizers, members[0].vocabularies)
    dev = make_dev_data(config, dev_set, tokenizers, Devices(config.parallel))
    which = ", ".join(member.description for member in members)
    say(format_counts(dev_set.corpus.counts))
    say(f"Decoding {quantity(len(dev_set), 'source')} of the dev set with {which}")
    predictor = Predictor(members, config)
    features = dev_set.features if predictor.has_features else None
    predictions = predictor.predict(dev_set.sources, features=features)

    metrics = [ErrorRateMetricSpec(), BleuMetricSpec()]

    def measure(
        hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]
    ) -> dict[str, float]:
        results = text_metrics(metrics, hypotheses, references)
        return {name: value for name, value in results.items() if isinstance(value, float)}

    # Compare detokenized text, as the metrics do: subwords are joined.
    params, words = config.input_pipeline_dev.params, word_tokenizers(config)
    split_source = replace(words.source, delimiter=params.source_delimiter).split_to_compare
    delimiter = "" if arguments.characters else params.target_delimiter
    split_target = replace(words.target, delimiter=delimiter).split_to_compare
    outputs = [split_target(prediction.text) for prediction in predictions]
    references = [list(map(split_target, texts)) for texts in dev_set.references]
    report = error_report(
        [
            [*split_source(text), *(f"[{name}]" for name in prediction.feature_tokens)]
            for text, prediction in zip(dev_set.sources, predictions, strict=True)
        ],
        outputs,
        references,
        measure,
        scores=[prediction.score for prediction in predictions],
    )
    groups = {
        grouping.name: grouped_results(metrics, grouping, outputs, references)
        for grouping in [*dev.groupings, *make_groupings(dev, breakdowns_of(arguments))]
    }
    page = arguments.output or workdir.path / "error_report.html"
    title = f"Errors of {Path(workdir.path).resolve().name}, {which}"
    print(terminal_summary(report))
    for name, grouped in groups.items():
        print(f"\n{grouped_table(name, grouped)}")
    tables = {name: grouped.to_dict() for name, grouped in groups.items()}
    say(f"Sentences in {write_error_report(report, page, title, arguments.worst, tables)}")
