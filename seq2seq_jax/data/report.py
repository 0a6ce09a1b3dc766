"""The data report: what the training data look like, printed before anything is compiled."""

from collections.abc import Mapping, Sequence

import numpy as np

from seq2seq_jax.data.buckets import Buckets
from seq2seq_jax.data.corpus import Corpus, CorpusCounts, FeatureSummary
from seq2seq_jax.utils.errors import quantity

QUANTILES = (0, 5, 25, 50, 75, 95, 100)


def format_data_report(corpus: Corpus, buckets: Buckets) -> str:
    """Describe a corpus: pairs, truncation, out-of-vocabulary tokens, lengths and padding.

    Args:
      corpus: The pairs.
      buckets: The shapes of their batches.

    Returns:
      Several lines of text.
    """
    assigned = buckets.assign(corpus.source.lengths, corpus.target.lengths)
    lengths = corpus.source.lengths + corpus.target.lengths
    pairs = np.bincount(assigned, minlength=len(buckets))
    tokens = np.bincount(assigned, weights=lengths, minlength=len(buckets))
    batches = -(-pairs // np.array(buckets.rows))
    positions = batches * buckets.rows * np.sum(buckets.shapes, axis=1)
    padding = 1 - tokens / np.maximum(positions, 1)
    total = 1 - tokens.sum() / positions.sum()
    lines = [
        format_counts(corpus.counts),
        report_line("Length in tokens", "".join(f"{_quantile_name(q):>6}" for q in QUANTILES)),
        report_line("  source", _quantiles(corpus.source.lengths)),
        report_line("  target", _quantiles(corpus.target.lengths)),
        report_line(
            "Padding",
            f"{total:.1%} in {len(buckets)} bucket{'' if len(buckets) == 1 else 's'}",
        ),
        f"  {'source width':>12} {'target width':>13} {'pairs':>11} {'batches':>9} {'rows':>6}"
        f" {'padding':>9}",
    ]
    for i, (source_width, target_width) in enumerate(buckets.shapes):
        lines.append(
            f"  {source_width:>12} {target_width:>13} {pairs[i]:>11,} {batches[i]:>9,}"
            f" {buckets.rows[i]:>6} {padding[i]:>9.1%}"
        )
    return "\n".join(lines)


def format_languages(tags: Sequence[str], groups: np.ndarray, temperature: float) -> str:
    """Describe the languages of a corpus: pairs, and the share of each in an epoch.

    Args:
      tags: The tag of each language by its number in `groups`.
      groups: [N], the language of each pair.
      temperature: See `temperature`.

    Returns:
      Several lines of text.

    Example:
      >>> print(format_languages(["<dut>", "<ice>"], np.array([0, 0, 0, 0, 1]), 2.0))
      Languages          2, drawn with temperature 2
        dut                   4 pairs, 80.0%; 66.7% of an epoch
        ice                    1 pair, 20.0%; 33.3% of an epoch
    """
    numbers, sizes = np.unique(groups, return_counts=True)
    shares = sizes ** (1 / temperature)
    shares /= shares.sum()
    drawn = f", drawn with temperature {temperature:g}" if temperature != 1 else ""
    lines = [report_line("Languages", f"{len(sizes)}{drawn}")]
    for number, size, share in zip(numbers, sizes.tolist(), shares, strict=True):
        text = f"{quantity(size, 'pair'):>12}, {size / len(groups):.1%}"
        text += f"; {share:.1%} of an epoch" if drawn else ""
        lines.append(report_line(f"  {tags[number].strip('<>')}", text))
    return "\n".join(lines)


def format_counts(counts: CorpusCounts) -> str:
    """Describe what was read: dropped and truncated pairs, features, and OOV tokens.

    Args:
      counts: The counts of the training or the dev corpus.

    Returns:
      Three lines of text, and those about features if there are any.
    """
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.dropped.items() if count)
    return "\n".join(
        [
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
            *(_feature_lines(counts.features) if counts.features else ()),
        ]
    )


def format_unknown(unknown: Mapping[str, int], most: int = 10) -> str:
    """List symbols that are not in a vocabulary, the most frequent first.

    Args:
      unknown: How often each occurs.
      most: The largest number of symbols to list.

    Example:
      >>> format_unknown({"DU": 1, "FUT": 3})
      'FUT (3 times), DU'
    """
    ordered = sorted(unknown.items(), key=lambda item: (-item[1], item[0]))
    listed = [f"{name} ({count:,} times)" if count > 1 else name for name, count in ordered[:most]]
    return ", ".join(listed) + (f" and {len(ordered) - most} more" if len(ordered) > most else "")


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


def _feature_lines(features: FeatureSummary) -> list[str]:
    odd = {
        "without any": features.counts.missing,
        "with a repeated one": features.counts.repeated,
        "with unbalanced brackets": features.counts.unbalanced,
        "truncated": features.truncated,
    }
    parts = [f"{features.mean:.1f} per pair"]
    parts += [f"{quantity(count, 'pair')} {what}" for what, count in odd.items() if count]
    lines = [report_line("Features", "; ".join(parts))]
    if features.unknown:
        lines.append(report_line("  unknown", format_unknown(features.unknown)))
    return lines


def _quantile_name(quantile: int) -> str:
    return {0: "min", 100: "max"}.get(quantile, f"{quantile}%")


def _quantiles(lengths: np.ndarray) -> str:
    values = np.percentile(lengths, QUANTILES, method="inverted_cdf")
    return "".join(f"{int(value):>6}" for value in values)
