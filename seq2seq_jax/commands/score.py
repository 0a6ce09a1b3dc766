"""The command `score`."""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from seq2seq_jax.commands.run_arguments import add_workdir, open_text_run
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.evaluation.perplexity import format_result, perplexity
from seq2seq_jax.problems.text import add_language_argument
from seq2seq_jax.utils.errors import UserError

if TYPE_CHECKING:
    from seq2seq_jax.data.readers.input_pipeline import Example

HELP = "Read pairs of source and target, and write the log probability of each target."
EXAMPLES = (
    "score --workdir=runs/g2p --source=words.txt --target=phones.txt",
    "score --workdir=runs/g2p --total < pairs.tsv",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_workdir(parser)
    parser.add_argument(
        "--input",
        metavar="FILE",
        help="Lines of a source, a tab and a target; of a model that reads features, also a tab and"
        " features. The default is standard input.",
    )
    parser.add_argument(
        "--source", metavar="FILE", help="A file of sources; --target names the targets."
    )
    parser.add_argument(
        "--target", metavar="FILE", help="A file of targets; line i belongs to source i."
    )
    parser.add_argument(
        "--features", metavar="FILE", help="A file of features; line i belongs to source i."
    )
    add_language_argument(parser)
    parser.add_argument("--json", action="store_true", help="Write a JSON object for each pair.")
    parser.add_argument(
        "--attention", action="store_true", help="Include the attention weights in the JSON."
    )
    parser.add_argument(
        "--total", action="store_true", help="Write only the totals over all pairs."
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Score pairs in chunks and print a line for each, and the totals.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a line of the input is wrong.
    """
    from seq2seq_jax.config.feature_rules import reads_features
    from seq2seq_jax.data.readers.input_pipeline import to_example
    from seq2seq_jax.data.vocabulary import UNK
    from seq2seq_jax.inference.json_lines import score_line
    from seq2seq_jax.inference.lines import BATCHES_PER_CHUNK
    from seq2seq_jax.inference.loading import load_ensemble
    from seq2seq_jax.inference.predictor import Predictor
    from seq2seq_jax.utils.logging import say

    if arguments.attention and not arguments.json:
        raise UserError("--attention", "needs --json")
    workdir, config = open_text_run(arguments, overrides)
    has_features = reads_features(config)
    limit = BATCHES_PER_CHUNK * config.inference.batch_size
    chunks = _pair_chunks(arguments, limit, has_features)
    predictor = Predictor(load_ensemble(workdir, config), config)
    if arguments.attention and not predictor.has_attention:
        raise UserError("--attention", f"needs attention, but {config.model} has none; omit it")
    totals = {"pairs": 0, "tokens": 0, "unknown": 0, "log_prob": 0.0}
    for pairs in chunks:
        sources, targets, features = zip(*map(to_example, pairs), strict=True)
        scores = predictor.score(
            sources,
            targets,
            languages=arguments.language,
            features=features if has_features else None,
            return_attention=arguments.attention,
        )
        for score in scores:
            totals["pairs"] += 1
            totals["tokens"] += len(score.tokens)
            totals["unknown"] += score.tokens.count(UNK)
            totals["log_prob"] += score.log_prob
            if arguments.json and not arguments.total:
                print(score_line(score))
            elif not arguments.total:
                log_probs = " ".join(f"{value:.4f}" for value in score.token_log_probs)
                print(f"{score.log_prob:.4f}\t{log_probs}")
        sys.stdout.flush()
    totals["perplexity"] = perplexity(-totals["log_prob"] / max(1, totals["tokens"]))
    if arguments.total:
        print(json.dumps(totals) if arguments.json else _describe(totals))
    else:
        say(_describe(totals))


def _describe(totals: dict[str, float]) -> str:
    return (
        f"{totals['pairs']:,} pairs, {totals['tokens']:,} target tokens with SEQUENCE_END,"
        f" {totals['unknown']:,} of them UNK; log probability {totals['log_prob']:.4f},"
        f" perplexity {format_result(totals['perplexity'])}"
    )


def _pair_chunks(
    arguments: argparse.Namespace, limit: int, has_features: bool
) -> "Iterator[list[Example]]":
    from seq2seq_jax.inference.lines import pair_chunks, parallel_chunks

    if arguments.features is not None and not has_features:
        raise UserError("--features", "is given, but the model reads no features; leave it out")
    if arguments.source is None and arguments.target is None:
        if arguments.features is not None:
            raise UserError("--features", "needs --source and --target; or give all as columns")
        return pair_chunks(arguments.input, limit, has_features)
    for flag, other in (("source", "target"), ("target", "source")):
        if getattr(arguments, flag) is None:
            raise UserError(f"--{other}", f"needs --{flag} as well")
    if arguments.input is not None:
        raise UserError("--input", "is given, but so are --source and --target; leave it out")
    if has_features and arguments.features is None:
        raise UserError("--features", "is missing, and the model reads features; name their file")
    return parallel_chunks(arguments.source, arguments.target, limit, arguments.features or "")
