"""Plots of sweeps: the metric at each level of a factor, and the curves of the trainings."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from seq2seq_jax.reports.figures import new_figure
from seq2seq_jax.sweeps.results import Result
from seq2seq_jax.sweeps.tables import Row, make_rows


def draw_levels(results: Sequence[Result], factors: Sequence[str], metric: str) -> Any:
    """Plot the metric against the levels of each factor, one panel per factor.

    Each trial is a dot; mean and standard deviation are drawn at each level. Numeric levels have
    numeric axes.

    Args:
      results: The results of finished trials.
      factors: The names of the factors.
      metric: The metric.

    Returns:
      The figure.
    """
    panels = [(factor, make_rows(results, [factor])) for factor in factors]
    widths = [max(4.0, 0.55 * len(rows)) for _, rows in panels]
    figure = new_figure(min(14.0, 1 + sum(widths)), 3.6)
    axes = figure.subplots(
        1, len(panels), sharey=True, squeeze=False, gridspec_kw={"width_ratios": widths}
    )[0]
    for axis, (factor, rows) in zip(axes, panels, strict=True):
        _plot_factor(axis, rows, factor, metric)
    axes[0].set_ylabel(metric)
    return figure


def draw_curves(rows: Sequence[Row], metric: str) -> Any:
    """Plot the metric of the dev set over the training steps, one color per row.

    The line is the mean over the seeds, the band their range.

    Args:
      rows: The rows of a table.
      metric: The metric.

    Returns:
      The figure, or None if no training has the metric.
    """
    curves = [(row, _mean_curve(row, metric)) for row in rows]
    curves = [(row, curve) for row, curve in curves if curve[0]]
    if not curves:
        return None
    figure = new_figure(9, 4.2)
    axis = figure.subplots()
    for i, (row, (steps, each)) in enumerate(curves):
        style: Any = {"color": f"C{i % 10}", "ls": "-" if i < 10 else "--", "marker": "."}
        means = [statistics.mean(values) for values in each]
        axis.plot(steps, means, label=", ".join(map(str, row.levels.values())), **style)
        if len(row.results) > 1:
            lows, highs = [min(values) for values in each], [max(values) for values in each]
            axis.fill_between(steps, lows, highs, color=style["color"], alpha=0.15, lw=0)
    axis.set_xlabel("step")
    axis.set_ylabel(metric)
    axis.grid(alpha=0.3)
    if len(curves) > 1:
        axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _plot_factor(axis: Any, rows: Sequence[Row], factor: str, metric: str) -> None:
    levels = [row.levels[factor] for row in rows]
    numeric = all(isinstance(x, int | float) and not isinstance(x, bool) for x in levels)
    places: list[Any] = levels if numeric else list(range(len(levels)))
    for place, row in zip(places, rows, strict=True):
        values = [r["metrics"][metric] for r in row.results if metric in r["metrics"]]
        axis.plot([place] * len(values), values, ".", color="C0", alpha=0.4)
    summaries = [(p, s) for p, row in zip(places, rows, strict=True) if (s := row.summary(metric))]
    few = len(places) <= 12  # More levels come from a search, and are not connected.
    axis.errorbar(
        [place for place, _ in summaries],
        [summary.mean for _, summary in summaries],
        yerr=[
            math.nan if summary.deviation is None else summary.deviation for _, summary in summaries
        ],
        fmt="o-" if numeric and few else "o",
        capsize=3,
        markersize=4,
        color="C0",
    )
    axis.set_xlabel(factor)
    axis.grid(alpha=0.3)
    if numeric:
        if min(places) > 0 and max(places) / min(places) >= 8:
            axis.set_xscale("log")
            axis.minorticks_off()
        if few:
            axis.set_xticks(places, map(str, levels))
    else:
        crowded = len(levels) * max(len(str(level)) for level in levels) > 40
        turned: Any = {"rotation": 40, "ha": "right"} if crowded else {}
        axis.set_xticks(places, map(str, levels), **turned)


def _mean_curve(row: Row, metric: str) -> tuple[list[int], list[list[float]]]:
    """Return the steps that all curves share, and their values at these steps."""
    curves = [
        dict(zip(r["curve"]["step"], r["curve"][metric], strict=True))
        for r in row.results
        if metric in r.get("curve", {}) and len(r["curve"][metric]) == len(r["curve"]["step"])
    ]
    if not curves:
        return [], []
    steps = [step for step in curves[0] if all(step in curve for curve in curves)]
    return steps, [[curve[step] for curve in curves] for step in steps]
