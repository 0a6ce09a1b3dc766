"""The data report: what the training data look like, printed before anything is compiled."""

import dataclasses

import numpy as np

from seq2seq_jax.data.buckets import Buckets
from seq2seq_jax.data.corpus import Corpus

QUANTILES = (0, 5, 25, 50, 75, 95, 100)


@dataclasses.dataclass(frozen=True)
class BucketPadding:
    """The padding in the batches of one bucket during an epoch.

    Attributes:
      shape: Source width and target width.
      pairs: The number of pairs.
      batches: The number of batches.
      positions: Rows times (source width + target width) of these batches, with rows of padding.
      tokens: The number of positions that hold a token.
    """

    shape: tuple[int, int]
    pairs: int
    batches: int
    positions: int
    tokens: int

    @property
    def padding(self) -> float:
        """The fraction of the positions without a token, 0 to 1."""
        return 1 - self.tokens / self.positions if self.positions else 0.0


def padding_by_bucket(corpus: Corpus, buckets: Buckets) -> list[BucketPadding]:
    """Count the positions and tokens of one epoch.

    Args:
      corpus: The pairs.
      buckets: The shapes of their batches.

    Returns:
      The counts of each bucket.
    """
    sources, targets = corpus.source.lengths, corpus.target.lengths
    assigned = buckets.assign(sources, targets)
    pairs = np.bincount(assigned, minlength=len(buckets))
    tokens = np.bincount(assigned, weights=sources + targets, minlength=len(buckets))
    result = []
    for i, (source_width, target_width) in enumerate(buckets.shapes):
        batches = -(-int(pairs[i]) // buckets.rows[i])
        positions = batches * buckets.rows[i] * (source_width + target_width)
        result.append(
            BucketPadding(
                (source_width, target_width), int(pairs[i]), batches, positions, int(tokens[i])
            )
        )
    return result


def format_data_report(corpus: Corpus, buckets: Buckets) -> str:
    """Describe a corpus: pairs, truncation, out-of-vocabulary tokens, lengths and padding.

    Args:
      corpus: The pairs.
      buckets: The shapes of their batches.

    Returns:
      Several lines of text.
    """
    counts = corpus.counts
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.dropped.items() if count)
    by_bucket = padding_by_bucket(corpus, buckets)
    positions = sum(bucket.positions for bucket in by_bucket)
    padding = 1 - sum(bucket.tokens for bucket in by_bucket) / positions
    lines = [
        report_line(
            "Pairs",
            f"{counts.read:,} read, {counts.kept:,} kept, {counts.read - counts.kept:,} dropped"
            + (f" ({reasons})" if reasons else ""),
        ),
        report_line(
            "Truncated",
            f"{counts.source_truncated:,} sources, {counts.target_truncated:,} targets "
            "(longer than max_seq_len)",
        ),
        report_line(
            "Out of vocabulary",
            f"{counts.source_oov_rate:.2%} of source tokens, "
            f"{counts.target_oov_rate:.2%} of target tokens",
        ),
        report_line("Length in tokens", "".join(f"{_quantile_name(q):>6}" for q in QUANTILES)),
        report_line("  source", _quantiles(corpus.source.lengths)),
        report_line("  target", _quantiles(corpus.target.lengths)),
        report_line(
            "Padding",
            f"{padding:.1%} in {len(buckets)} bucket{'' if len(buckets) == 1 else 's'}",
        ),
        f"  {'source width':>12} {'target width':>13} {'pairs':>11} {'batches':>9} {'rows':>6}"
        f" {'padding':>9}",
    ]
    lines += [
        f"  {bucket.shape[0]:>12} {bucket.shape[1]:>13} {bucket.pairs:>11,} {bucket.batches:>9,}"
        f" {rows:>6} {bucket.padding:>9.1%}"
        for bucket, rows in zip(by_bucket, buckets.rows, strict=True)
    ]
    return "\n".join(lines)


def report_line(label: str, text: str) -> str:
    """Return one line of the report, aligned with the others.

    Args:
      label: The quantity.
      text: Its value.

    Returns:
      A line.

    Example:
      >>> report_line("Dev set", "1,000 pairs")
      'Dev set            1,000 pairs'
    """
    return f"{label:<19}{text}"


def _quantile_name(quantile: int) -> str:
    return {0: "min", 100: "max"}.get(quantile, f"{quantile}%")


def _quantiles(lengths: np.ndarray) -> str:
    values = np.percentile(lengths, QUANTILES, method="inverted_cdf")
    return "".join(f"{int(value):>6}" for value in values)
