"""What the training data look like, as text to read before anything is compiled."""

import dataclasses

import numpy as np

from seq2seq_jax.data.buckets import Buckets
from seq2seq_jax.data.corpus import Corpus

QUANTILES = (0, 5, 25, 50, 75, 95, 100)


@dataclasses.dataclass(frozen=True)
class BucketPadding:
    """One bucket over an epoch. Slots are rows times (source width + target width)."""

    shape: tuple[int, int]
    pairs: int
    batches: int
    slots: int  # of whole batches, rows that only fill up included
    tokens: int

    @property
    def padding(self) -> float:
        """Share of the slots without a token, 0 to 1."""
        return 1 - self.tokens / self.slots if self.slots else 0.0


def padding_by_bucket(corpus: Corpus, buckets: Buckets) -> list[BucketPadding]:
    """Counts the slots of one epoch, for each bucket."""
    sources, targets = corpus.source.lengths, corpus.target.lengths
    assigned = buckets.assign(sources, targets)
    pairs = np.bincount(assigned, minlength=len(buckets))
    tokens = np.bincount(assigned, weights=sources + targets, minlength=len(buckets))
    result = []
    for i, (source_width, target_width) in enumerate(buckets.shapes):
        batches = -(-int(pairs[i]) // buckets.rows[i])
        slots = batches * buckets.rows[i] * (source_width + target_width)
        result.append(
            BucketPadding(
                (source_width, target_width), int(pairs[i]), batches, slots, int(tokens[i])
            )
        )
    return result


def data_report(corpus: Corpus, buckets: Buckets) -> str:
    """Pairs kept, dropped and cut, lengths, unknown words, padding and shapes; many lines."""
    counts = corpus.counts
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.dropped.items() if count)
    by_bucket = padding_by_bucket(corpus, buckets)
    slots = sum(bucket.slots for bucket in by_bucket)
    padding = 1 - sum(bucket.tokens for bucket in by_bucket) / slots
    lines = [
        f"pairs    {counts.read:,} read, {counts.kept:,} kept, "
        f"{counts.read - counts.kept:,} dropped" + (f" ({reasons})" if reasons else ""),
        f"cut      sources {counts.source_cut:,}, targets {counts.target_cut:,} "
        "(longer than max_seq_len)",
        f"unknown  {counts.source_unknown:.2%} of the source words, "
        f"{counts.target_unknown:.2%} of the target words",
        "lengths  " + "".join(f"{_quantile_name(q):>6}" for q in QUANTILES),
        "  source " + _quantiles(corpus.source.lengths),
        "  target " + _quantiles(corpus.target.lengths),
        f"buckets  {len(buckets)} {'shape' if len(buckets) == 1 else 'shapes'}, "
        f"{padding:.1%} padding",
        f"  {'source':>6} {'target':>6} {'pairs':>11} {'batches':>9} {'rows':>6} {'padding':>9}",
    ]
    lines += [
        f"  {bucket.shape[0]:>6} {bucket.shape[1]:>6} {bucket.pairs:>11,} {bucket.batches:>9,} "
        f"{rows:>6} {bucket.padding:>9.1%}"
        for bucket, rows in zip(by_bucket, buckets.rows, strict=True)
    ]
    return "\n".join(lines)


def _quantile_name(quantile: int) -> str:
    return {0: "min", 100: "max"}.get(quantile, f"{quantile} %")


def _quantiles(lengths: np.ndarray) -> str:
    values = np.percentile(lengths, QUANTILES, method="inverted_cdf")
    return "".join(f"{int(value):>6}" for value in values)
