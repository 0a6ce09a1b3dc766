"""Results as tables: a row for what was done with several seeds."""

import datetime
import json
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from seq2seq_jax.evaluation.metrics import lower_is_better
from seq2seq_jax.sweeps.definition import Level
from seq2seq_jax.sweeps.results import FINISHED, Result
from seq2seq_jax.sweeps.trials import is_drawn


class Summary(NamedTuple):
    """Of one metric over seeds.

    Attributes:
      deviation: the sample's (n - 1); None of a single value.
    """

    mean: float
    deviation: float | None
    best: float


class Row(NamedTuple):
    """
    Attributes:
      results: those that finished.
      failed: how many did not.
    """

    levels: dict[str, Level]
    results: list[Result]
    failed: int

    def summary(self, metric: str) -> Summary | None:
        """None if no result has the metric."""
        values = [r["metrics"][metric] for r in self.results if metric in r["metrics"]]
        values = [value for value in values if math.isfinite(value)]
        if not values:
            return None
        best = min(values) if lower_is_better(metric) else max(values)
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return Summary(statistics.mean(values), deviation, best)


class Table(NamedTuple):
    """Text in cells; the columns behind the first `words` ones are numbers."""

    columns: list[str]
    rows: list[list[str]]
    words: int


def make_rows(results: Iterable[Result], factors: Sequence[str] | None = None) -> list[Row]:
    """Groups results by the levels of factors (all, if none are named), in the order that the sweep
    file has them in, whichever ended first.

    What a search has drawn comes in the order of its best metric, the best first.
    """
    rows: dict[str, Row] = {}
    places: dict[str, list[int]] = {}
    drawn, metric = False, ""
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
        drawn, metric = drawn or is_drawn(result["trial"]), result["best_metric"]
    if not drawn or factors is not None:
        return [rows[key] for key in sorted(rows, key=places.__getitem__)]
    sign = 1 if lower_is_better(metric) else -1
    means = {key: row.summary(metric) for key, row in rows.items()}
    worst = math.inf
    order = sorted(rows, key=lambda key: sign * one.mean if (one := means[key]) else worst)
    return [rows[key] for key in order]


def make_table(rows: Sequence[Row], metric: str) -> Table:
    """A line a row: levels, `metric` as mean ± deviation and its best, other metrics as means,
    the number of parameters, and how long it took."""
    results = [result for row in rows for result in row.results]
    names = dict.fromkeys(name for result in results for name in result["metrics"])
    names.pop(metric, None)
    if "perplexity" in names:
        names.pop("log_perplexity", None)  # says the same
    published = any(map(_published, rows))
    factors = list(rows[0].levels)
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("trials", lambda row: str(len(row.results))),
        (metric, lambda row: _spread(row.summary(metric))),
        ("best", lambda row: _best(row.summary(metric))),
    ]
    if published:
        columns.append(("published", _published))
    for name in names:
        columns.append((name, lambda row, name=name: _spread(row.summary(name))))  # type: ignore[misc]
    columns += [
        ("parameters", lambda row: _of_all(row, lambda r: r["parameters"], _millions)),
        ("training", lambda row: _of_all(row, lambda r: r["seconds"]["training"], clock)),
        ("evaluation", lambda row: _of_all(row, lambda r: r["seconds"]["evaluation"], clock)),
    ]
    if any(row.failed for row in rows):
        columns.append(("failed", lambda row: str(row.failed or "")))
    return Table(
        [*factors, *(heading for heading, _ in columns)],
        [[*map(str, row.levels.values()), *(cell(row) for _, cell in columns)] for row in rows],
        len(factors),
    )


def markdown(table: Table) -> str:
    lines = [
        table.columns,
        ["---" if i < table.words else "--:" for i in range(len(table.columns))],
    ]
    lines += [[cell.replace("|", "\\|") for cell in row] for row in table.rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def clock(seconds: float) -> str:
    """1:02:03"""
    return str(datetime.timedelta(seconds=round(seconds)))


def number(value: float) -> str:
    """With as many decimals as matter: two, or four of what is below ten."""
    return f"{value:.{2 if abs(value) >= 10 else 4}f}"


def _spread(summary: Summary | None) -> str:
    if summary is None:
        return ""
    mean = number(summary.mean)
    if summary.deviation is None:
        return mean
    decimals = len(mean.partition(".")[2])
    return f"{mean} ± {summary.deviation:.{decimals}f}"


def _best(summary: Summary | None) -> str:
    return number(summary.best) if summary else ""


def _published(row: Row) -> str:
    reported = {level: text for r in row.results for level, text in r.get("published", {}).items()}
    return ", ".join(reported[name] for name in map(str, row.levels.values()) if name in reported)


def _of_all(row: Row, value: Callable[[Result], float], text: Callable[[float], str]) -> str:
    """The mean; of parameters too, which a search over levels may change within a group."""
    return text(statistics.mean(map(value, row.results))) if row.results else ""


def _millions(count: float) -> str:
    return f"{count / 1e6:.2f} M" if count >= 1e5 else f"{round(count):,}"
