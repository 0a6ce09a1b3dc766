"""The baseline of summarisation: a text's first words, which often say what it is about."""

from collections.abc import Sequence

from seq2seq_jax.evaluation.metrics import RougeMetricSpec, text_metrics

SUMMARY_METRICS = tuple(
    RougeMetricSpec(f"{kind}/f_score") for kind in ("rouge_1", "rouge_2", "rouge_l")
)


def first_words_scores(
    sources: Sequence[Sequence[str]], summaries: Sequence[Sequence[str]], count: int
) -> dict[str, float]:
    """ROUGE of the first `count` words of each source, in percent.

    Args:
      sources, summaries: words of the texts, as many of the ones as of the others.
    """
    results = text_metrics(
        SUMMARY_METRICS,
        [source[:count] for source in sources],
        [[summary] for summary in summaries],
    )
    return {name: float(value) for name, value in results.items()}
