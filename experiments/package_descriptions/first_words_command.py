"""Scores the baseline that any summarising model must beat: the text's first words."""

import argparse

from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "score the first words of each source as its summary"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE", required=True, help="whose input_pipeline_dev is scored"
    )
    parser.add_argument(
        "--words",
        type=int,
        nargs="+",
        default=[6, 8, 10, 12, 15, 20],
        metavar="N",
        help="how many; default: several numbers, %(default)s",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from experiments.package_descriptions.first_words import first_words_scores
    from seq2seq_jax.config import load_config, resolve
    from seq2seq_jax.data.tokenizers import DelimiterTokenizer
    from seq2seq_jax.problems.setup import make_pipeline

    if min(arguments.words) < 1:
        raise UserError("--words", f"must be 1 or more; got {min(arguments.words)}")
    config = resolve(load_config(arguments.config), overrides)
    where = "input_pipeline_dev"
    params = config[where].params
    of_source = DelimiterTokenizer(params.source_delimiter, config.source.lowercase)
    of_target = DelimiterTokenizer(params.target_delimiter)
    pairs = [
        (source, target)
        for pair in make_pipeline(config, where)
        if (source := of_source.split(pair.source)) and (target := of_target.split(pair.target))
    ]
    if not pairs:
        raise UserError(where, "holds no pairs")
    sources, summaries = zip(*pairs, strict=True)
    scores = {count: first_words_scores(sources, summaries, count) for count in arguments.words}
    names = next(iter(scores.values()))
    print("words  ", "  ".join(names))
    for count, results in scores.items():
        cells = (f"{results[name]:{len(name)}.2f}" for name in names)
        print(f"{count:<7}", "  ".join(cells))
