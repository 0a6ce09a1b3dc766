"""Results as tables: one row per combination of levels, averaged over the seeds."""

import datetime
import json
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from seq2seq_jax.evaluation.metrics import lower_is_better
from seq2seq_jax.sweeps.definition import Level
from seq2seq_jax.sweeps.results import FINISHED, Result
from seq2seq_jax.sweeps.trials import is_from_search


class Summary(NamedTuple):
    """One metric over several seeds.

    Attributes:
      mean: The mean.
      deviation: The standard deviation of the sample (n - 1); None for a single value.
      best: The best value.
    """

    mean: float
    deviation: float | None
    best: float


class Row(NamedTuple):
    """The trials that share the levels of some factors.

    Attributes:
      levels: Factor -> level.
      results: The results of finished trials.
      failed: The number of failed trials.
    """

    levels: dict[str, Level]
    results: list[Result]
    failed: int

    def summary(self, metric: str) -> Summary | None:
        """Summarize a metric; None if no result has it.

        Args:
          metric: The name of the metric.
        """
        values = [r["metrics"][metric] for r in self.results if metric in r["metrics"]]
        values = [value for value in values if math.isfinite(value)]
        if not values:
            return None
        best = min(values) if lower_is_better(metric) else max(values)
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return Summary(statistics.mean(values), deviation, best)


class Table(NamedTuple):
    """A table of strings.

    Attributes:
      columns: The headings.
      rows: The cells.
      num_text_columns: How many of the first columns are text; the others are numbers.
    """

    columns: list[str]
    rows: list[list[str]]
    num_text_columns: int


def make_rows(results: Iterable[Result], factors: Sequence[str] | None = None) -> list[Row]:
    """Group results by the levels of factors.

    The rows have the order of the sweep file; those of a search are sorted by the best metric.

    Args:
      results: The results of one sweep.
      factors: The factors to group by; all of them, if None.
    """
    rows: dict[str, Row] = {}
    places: dict[str, list[int]] = {}
    from_search, metric = False, ""
    for result in results:
        levels = result["levels"]
        if factors is not None:
            levels = {name: levels[name] for name in factors}
        key = json.dumps(levels, sort_keys=True)
        row = rows.setdefault(key, Row(levels, [], 0))
        places[key] = [result.get("places", {}).get(name, 0) for name in levels]
        if result["status"] == FINISHED:
            row.results.append(result)
        else:
            rows[key] = row._replace(failed=row.failed + 1)
        from_search, metric = from_search or is_from_search(result["trial"]), result["best_metric"]
    if not from_search or factors is not None:
        return [rows[key] for key in sorted(rows, key=places.__getitem__)]
    sign = 1 if lower_is_better(metric) else -1
    means = {key: row.summary(metric) for key, row in rows.items()}
    worst = math.inf
    order = sorted(rows, key=lambda key: sign * one.mean if (one := means[key]) else worst)
    return [rows[key] for key in order]


def make_table(rows: Sequence[Row], metric: str) -> Table:
    """Make a table: levels, metrics as mean ± deviation, number of parameters, and times.

    Args:
      rows: The rows, with the same factors.
      metric: The metric that comes first, together with its best value.
    """
    results = [result for row in rows for result in row.results]
    names = dict.fromkeys(name for result in results for name in result["metrics"])
    names.pop(metric, None)
    if "perplexity" in names:
        names.pop("log_perplexity", None)  # It is the same metric.
    published = any(map(_published, rows))
    factors = list(rows[0].levels)
    # A column has one number of decimals, and one unit.
    decimals = {name: _decimals(rows, name) for name in (metric, *names)}
    count = _millions if all(r["parameters"] >= 1e5 for r in results) else _whole
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("trials", lambda row: str(len(row.results))),
        (metric, lambda row: _format_summary(row, metric, decimals[metric])),
        ("best", lambda row: _best(row.summary(metric), decimals[metric])),
    ]
    if published:
        columns.append(("published", _published))
    for name in names:
        columns.append((name, partial(_format_summary, name=name, decimals=decimals[name])))
    columns += [
        ("parameters", lambda row: _mean_of(row, lambda r: r["parameters"], count)),
        (
            "training",
            lambda row: _mean_of(row, lambda r: r["seconds"]["training"], format_duration),
        ),
        (
            "evaluation",
            lambda row: _mean_of(row, lambda r: r["seconds"]["evaluation"], format_duration),
        ),
    ]
    if any(row.failed for row in rows):
        columns.append(("failed", lambda row: str(row.failed or "")))
    return Table(
        [*factors, *(heading for heading, _ in columns)],
        [[*map(str, row.levels.values()), *(cell(row) for _, cell in columns)] for row in rows],
        len(factors),
    )


def table_to_markdown(table: Table) -> str:
    """Return a table as Markdown.

    Args:
      table: The table.
    """
    lines = [
        table.columns,
        ["---" if i < table.num_text_columns else "--:" for i in range(len(table.columns))],
    ]
    lines += [[cell.replace("|", "\\|") for cell in row] for row in table.rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def format_duration(seconds: float) -> str:
    """Format a duration as H:MM:SS.

    Args:
      seconds: The duration.

    Example:
      >>> format_duration(3723)
      '1:02:03'
    """
    return str(datetime.timedelta(seconds=round(seconds)))


def _decimals(rows: Sequence[Row], metric: str) -> int:
    """Return 2, or 4 for a metric whose values are all below ten."""
    summaries = [summary for row in rows if (summary := row.summary(metric))]
    return 2 if any(abs(summary.mean) >= 10 for summary in summaries) else 4


def _format_summary(row: Row, name: str, decimals: int) -> str:
    summary = row.summary(name)
    if summary is None:
        return ""
    deviation = "" if summary.deviation is None else f" ± {summary.deviation:.{decimals}f}"
    return f"{summary.mean:.{decimals}f}{deviation}"


def _best(summary: Summary | None, decimals: int) -> str:
    return f"{summary.best:.{decimals}f}" if summary else ""


def _published(row: Row) -> str:
    reported = {level: text for r in row.results for level, text in r.get("published", {}).items()}
    return ", ".join(reported[name] for name in map(str, row.levels.values()) if name in reported)


def _mean_of(row: Row, value: Callable[[Result], float], text: Callable[[float], str]) -> str:
    """Format the mean over the results of a row."""
    return text(statistics.mean(map(value, row.results))) if row.results else ""


def _millions(count: float) -> str:
    return f"{count / 1e6:.2f} M"


def _whole(count: float) -> str:
    return f"{round(count):,}"
