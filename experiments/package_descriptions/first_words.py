"""The baseline of summarization: the first words of the source.

python -m experiments.package_descriptions.first_words
python -m experiments.package_descriptions.first_words --split=test --words 12
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.script import run_script
from seq2seq_jax.config import load_config, resolve
from seq2seq_jax.data.readers.tabular_text import TSVInputPipeline
from seq2seq_jax.evaluation.metrics import RougeMetricSpec, text_metrics
from seq2seq_jax.utils.errors import UserError

SUMMARY_METRICS = tuple(
    RougeMetricSpec(rouge_type=f"{kind}/f_score") for kind in ("rouge_1", "rouge_2", "rouge_l")
)


def first_words_scores(
    sources: Sequence[Sequence[str]], summaries: Sequence[Sequence[str]], count: int
) -> dict[str, float]:
    """Compute ROUGE of the first words of each source, in percent.

    Args:
      sources: The words of N sources.
      summaries: The words of their N reference summaries.
      count: The number of words that are taken as the summary.

    Returns:
      Name of the metric -> score.
    """
    results = text_metrics(
        SUMMARY_METRICS,
        [source[:count] for source in sources],
        [[summary] for summary in summaries],
    )
    return {name: float(value) for name, value in results.items()}


def run(arguments: argparse.Namespace) -> None:
    """Score the baseline for each number of words, and print a table."""
    if min(arguments.words) < 1:
        raise UserError("--words", f"must be at least 1; got {min(arguments.words)}")
    params = resolve(load_config(Path(__file__).with_name("config.py")), ()).input_pipeline_dev
    file = arguments.file or Path(params.params.files).with_name(f"{arguments.split}.tsv")
    pipeline = TSVInputPipeline(
        files=str(file), source_column="long", target_column="short", key="--file"
    )
    pairs = [
        (source, summary)
        for pair in pipeline
        if (source := pair.source.split()) and (summary := pair.target.split())
    ]
    if not pairs:
        raise UserError(str(file), "contains no pairs")
    sources, summaries = zip(*pairs, strict=True)
    scores = {count: first_words_scores(sources, summaries, count) for count in arguments.words}
    names = next(iter(scores.values()))
    print("words  ", "  ".join(names))
    for count, results in scores.items():
        print(f"{count:<7}", "  ".join(f"{results[name]:{len(name)}.2f}" for name in names))


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the script's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.package_descriptions.first_words",
        description="Score the first words of each description as its summary.",
    )
    parser.add_argument(
        "--split",
        choices=("train", "dev", "test"),
        default="dev",
        help="The split of the corpus. The default is %(default)s.",
    )
    parser.add_argument("--file", metavar="FILE", help="Read this table of the corpus instead.")
    parser.add_argument(
        "--words",
        type=int,
        nargs="+",
        default=[6, 8, 10, 12, 15, 20],
        metavar="N",
        help="The numbers of words. The default is %(default)s.",
    )
    return parser


if __name__ == "__main__":
    run_script(make_parser(), run)
