"""Metrics of groups of sentences: of each language, for example, and their macro average."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from seq2seq_jax.data.grouping import MACRO, Grouping
from seq2seq_jax.evaluation.metrics import LogPerplexityMetricSpec, needs_text, text_metrics
from seq2seq_jax.evaluation.perplexity import format_result
from seq2seq_jax.evaluation.text_metric import References, Sentences


class SourceLosses(NamedTuple):
    """The loss of each of M sources, summed over its targets.

    Attributes:
      loss: [M], negative log probabilities.
      tokens: [M], the number of target tokens.
    """

    loss: np.ndarray
    tokens: np.ndarray


class GroupedResults(NamedTuple):
    """The numeric results of all groups of a grouping.

    Attributes:
      sizes: The number of sources of each group.
      results: The results of each group by name.
      macro: The means of the groups' results; empty if the grouping has no macro average.
    """

    sizes: dict[str, int]
    results: dict[str, dict[str, float]]
    macro: dict[str, float]

    def to_dict(self) -> dict[str, object]:
        """Return the results as values that can be written as JSON."""
        groups = {name: {"sources": self.sizes[name]} | self.results[name] for name in self.sizes}
        return {"groups": groups} | ({MACRO: self.macro} if self.macro else {})


def grouped_results(
    metrics: Iterable[Any],
    grouping: Grouping,
    hypotheses: Sentences = (),
    references: References = (),
    losses: SourceLosses | None = None,
) -> GroupedResults:
    """Compute the metrics of each group of M sources.

    Args:
      metrics: Instances of metric classes.
      grouping: The groups of the sources.
      hypotheses: [M], the tokens of each output; empty: text metrics are left out.
      references: [M], the tokens of the references of each source.
      losses: The loss of each source; None: log perplexity is left out.

    Returns:
      The results; those that are texts, such as signatures, are left out.

    Example:
      >>> from seq2seq_jax.evaluation.metrics import AccuracyMetricSpec
      >>> grouping = Grouping("language", [("de",), ("de",), ("fr",)], macro_average=True)
      >>> outputs, references = ["a", "b", "c"], [["a"], ["x"], ["c"]]
      >>> found = grouped_results([AccuracyMetricSpec()], grouping, outputs, references)
      >>> found.results["de"]["sequence_accuracy"], found.macro["sequence_accuracy"]
      (50.0, 75.0)
    """
    metrics = list(metrics)
    members = grouping.members()
    results: dict[str, dict[str, float]] = {}
    for name, indices in members.items():
        numbers: dict[str, float | str] = {}
        for metric in metrics:
            if losses is not None and isinstance(metric, LogPerplexityMetricSpec):
                loss, tokens = (float(values[indices].sum()) for values in losses)
                numbers.update(metric(loss, tokens))
        if hypotheses and any(map(needs_text, metrics)):
            own = [hypotheses[index] for index in indices]
            numbers |= text_metrics(metrics, own, [references[index] for index in indices])
        results[name] = {k: v for k, v in numbers.items() if not isinstance(v, str)}
    macro = _means(results) if grouping.macro_average else {}
    return GroupedResults({name: len(found) for name, found in members.items()}, results, macro)


def flat_results(name: str, grouped: GroupedResults) -> dict[str, float]:
    """Return all results of a grouping under names such as `language/de/bleu`.

    Args:
      name: The name of the grouping.
      grouped: Its results.
    """
    groups = grouped.results | ({MACRO: grouped.macro} if grouped.macro else {})
    return {
        f"{name}/{group}/{result}": value
        for group, results in groups.items()
        for result, value in results.items()
    }


def grouped_table(name: str, grouped: GroupedResults) -> str:
    """Return the results of a grouping as a table of text, with a row for each group.

    Args:
      name: The name of the grouping.
      grouped: Its results.

    Example:
      >>> found = GroupedResults({"de": 2}, {"de": {"bleu": 50.0}}, {"bleu": 50.0})
      >>> print(grouped_table("language", found))
      language  sources     bleu
      de              2  50.0000
      macro              50.0000
    """
    names = list(dict.fromkeys(key for results in grouped.results.values() for key in results))
    rows = [[name, "sources", *names]]
    for group, results in grouped.results.items():
        rows.append([group, f"{grouped.sizes[group]:,}", *_cells(results, names)])
    if grouped.macro:
        rows.append([MACRO, "", *_cells(grouped.macro, names)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _cells(results: Mapping[str, float], names: Iterable[str]) -> list[str]:
    return [format_result(results[name]) if name in results else "" for name in names]


def _means(results: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for group in results.values() for name in group)
    columns = {name: [group[name] for group in results.values() if name in group] for name in names}
    return {name: sum(values) / len(values) for name, values in columns.items()}
