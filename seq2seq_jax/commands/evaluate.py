"""The command `eval`."""

import argparse
import json

from seq2seq_jax.commands.data.data_flags import add_data_arguments, data_overrides
from seq2seq_jax.commands.run_arguments import (
    add_breakdowns,
    add_workdir,
    breakdowns_of,
    open_workdir,
)
from seq2seq_jax.config.overrides import Overrides

HELP = "Evaluate a trained model on its dev set (`input_pipeline_dev`)."
EXAMPLES = (
    "eval --workdir=runs/g2p --config.inference.beam_search.beam_width=5",
    "eval --workdir=runs/g2p --by=overlap,length --predictions=predictions.tsv",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_workdir(parser)
    parser.add_argument(
        "--json", action="store_true", help="Print the results as a JSON object on one line."
    )
    add_breakdowns(parser)
    parser.add_argument(
        "--predictions",
        metavar="FILE",
        help="Write lines of source, output and features, separated by tabs, in the order of the"
        " dev set. {language} in the name stands for the language of a multilingual dev set.",
    )
    add_data_arguments(parser, train=False)


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Evaluate the model, and print the metrics.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    from seq2seq_jax.config import resolve
    from seq2seq_jax.evaluation.dev_evaluation import describe_samples
    from seq2seq_jax.evaluation.grouped_results import grouped_table
    from seq2seq_jax.evaluation.perplexity import format_result
    from seq2seq_jax.evaluation.prediction_files import check_predictions, write_predictions
    from seq2seq_jax.evaluation.run_evaluation import NUM_SAMPLES, evaluate
    from seq2seq_jax.utils.logging import say

    workdir = open_workdir(arguments, overrides)
    config = workdir.config()
    config = resolve(config, data_overrides(arguments, config, overrides))
    if arguments.predictions:
        check_predictions(arguments.predictions, config)
    evaluated = evaluate(
        workdir.path,
        config,
        num_samples=None if arguments.predictions else NUM_SAMPLES,
        trust_custom_code=workdir.trust,
        by=breakdowns_of(arguments),
    )
    evaluation = evaluated.evaluation
    results = evaluation.results
    if arguments.predictions:
        outputs = [sample.hypothesis for sample in evaluation.samples]
        files = write_predictions(arguments.predictions, evaluated.dev, outputs)
        say(f"Predictions in {', '.join(map(str, files))}")
    if evaluation.samples:
        say(describe_samples(evaluation.samples[:NUM_SAMPLES]))
    if arguments.json:
        print(json.dumps(evaluation.to_dict(), ensure_ascii=False))
        return
    width = max(map(len, results))
    for name, value in results.items():
        print(f"{name:<{width}}  {value if isinstance(value, str) else format_result(value)}")
    for name, grouped in evaluation.groups.items():
        print(f"\n{grouped_table(name, grouped)}")
