"""What the metrics of a configuration measure: the names of their results and which are better."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.config.languages import MACRO_AVERAGE, is_multilingual
from seq2seq_jax.schema.parameters import construct


class MetricResults(NamedTuple):
    """The numeric results of the metrics of a configuration.

    Attributes:
      lower_is_better: Result name -> whether lower values are better.
      complete: Whether all metrics state the names of their results. A class of the user's own need
        not do so.
    """

    lower_is_better: dict[str, bool]
    complete: bool


def make_metrics(entries: Mapping[str, Any]) -> list[Any]:
    """Instantiate the metrics of a resolved configuration.

    Args:
      entries: The group `metrics` of the configuration.

    Returns:
      The metrics in their order.

    Raises:
      UserError: A class cannot be imported.
    """
    return [
        construct(
            resolve_class("metric", entry["class"], f"metrics.{label}.class"),
            entry["params"],
            resolve_class,
            f"metrics.{label}.params",
        )
        for label, entry in entries.items()
    ]


def metric_results(config: Mapping[str, Any]) -> MetricResults:
    """Return what the metrics of a configuration measure.

    Args:
      config: A resolved configuration.

    Returns:
      The names of the results that the metric classes state, and which way is better. A
      multilingual model has each of them also as a macro average, `language/macro/NAME`.

    Raises:
      UserError: A class cannot be imported.
    """
    lower_is_better: dict[str, bool] = {}
    complete = True
    prefixes = ["", MACRO_AVERAGE] if is_multilingual(config) else [""]
    for metric in make_metrics(config["metrics"]):
        names = getattr(metric, "result_names", None)
        complete = complete and names is not None
        lower = bool(getattr(metric, "lower_is_better", False))
        for prefix in prefixes:
            lower_is_better.update({f"{prefix}{name}": lower for name in names or ()})
    return MetricResults(lower_is_better, complete)


def best_metric_is_lower(config: Mapping[str, Any]) -> bool:
    """Return whether lower values of `best_metric` are better.

    Args:
      config: A resolved configuration.
    """
    return metric_results(config).lower_is_better.get(config["best_metric"], False)
