"""Reports of sweeps: Markdown, an HTML page and plots."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq_jax.reports.figures import draw_themes, save_figure
from seq2seq_jax.reports.html_page import write_page
from seq2seq_jax.sweeps.plots import draw_curves, draw_levels
from seq2seq_jax.sweeps.results import FAILED, FILE_NAME, FINISHED, Result
from seq2seq_jax.sweeps.tables import Row, Table, make_rows, make_table, table_to_markdown
from seq2seq_jax.sweeps.trials import is_from_search
from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError, quantity


class Section(NamedTuple):
    """The section of one sweep in a report.

    Attributes:
      name: The name of the sweep.
      metric: The metric by which trials are compared.
      note: Number of trials, versions and dates.
      tables: Names of factors -> the table that is grouped by them.
      results: The results of all trials.
      failures: The failed trials with their errors.
    """

    name: str
    metric: str
    note: str
    tables: dict[str, Table]
    results: list[Result]
    failures: list[str]


def make_sections(
    results: Sequence[Result], metric: str = "", by: Sequence[str] = ()
) -> list[Section]:
    """Make one section per sweep, in the order of the results.

    Args:
      results: The results of one or more sweeps.
      metric: The metric to compare by. If empty, the sweep's best_metric.
      by: The factors to group by. If empty, all of them together and each alone.

    Raises:
      UserError: A sweep lacks the metric or a factor.
    """
    sweeps: dict[str, list[Result]] = {}
    for result in results:
        sweeps.setdefault(result["sweep"], []).append(result)
    return [_section(name, each, metric, by) for name, each in sweeps.items()]


def sections_to_markdown(sections: Sequence[Section], plots: Sequence[Sequence[Path]] = ()) -> str:
    """Return the report as Markdown.

    Args:
      sections: The sections.
      plots: The plots of each section; if empty, only tables are shown.
    """
    parts = []
    for i, section in enumerate(sections):
        parts.append(f"## {section.name}\n\n{section.note}\n")
        for by, table in section.tables.items():
            parts.append(
                (f"By {by}:\n\n" if len(section.tables) > 1 else "") + table_to_markdown(table)
            )
        if section.failures:
            parts.append("".join(f"- {failure}\n" for failure in section.failures))
        for plot in plots[i] if plots else []:
            parts.append(f"![{section.metric}: {plot.stem}]({plot.name})\n")
    return "\n".join(parts).rstrip("\n") + "\n"


def write_report(sections: Sequence[Section], folder: str | Path) -> list[Path]:
    """Write report.md, a self-contained report.html, results.jsonl and the plots.

    Args:
      sections: The sections.
      folder: The directory.

    Returns:
      The written files.
    """
    folder = Path(folder)
    plots = [_draw(section, folder) for section in sections]
    text = folder / "report.md"
    with atomic_replace(text) as partial:
        partial.write_text(
            f"# Results\n\n{sections_to_markdown(sections, plots)}", encoding="utf-8"
        )
    lines = folder / FILE_NAME
    with atomic_replace(lines) as partial:
        results = [result for section in sections for result in section.results]
        each = (json.dumps(result, ensure_ascii=False) + "\n" for result in results)
        partial.write_text("".join(each), encoding="utf-8")
    data = [
        {
            "name": section.name,
            "note": section.note,
            "tables": [{"by": by, **table._asdict()} for by, table in section.tables.items()],
            "failures": section.failures,
            "plots": _page_plots(section),
        }
        for section in sections
    ]
    title = "Results of " + ", ".join(section.name for section in sections)
    page = write_page(folder / "report.html", "sweep_report", title, data)
    return [text, page, lines, *(plot for each in plots for plot in each)]


def _section(name: str, results: list[Result], metric: str, by: Sequence[str]) -> Section:
    finished = [result for result in results if result["status"] == FINISHED]
    metric = metric or results[0]["best_metric"]
    factors = list(results[0]["levels"])
    for factor in by:
        if factor not in factors:
            known = ", ".join(factors) or "none"
            raise UserError("--by", f"{name} has no factor {factor}; it has: {known}")
    names = dict.fromkeys(each for result in finished for each in result["metrics"])
    if finished and metric not in names:
        raise UserError("--metric", f"{name} has no {metric}; it has: {', '.join(names)}")
    tables = {}
    if not by or list(by) == factors:
        tables[", ".join(factors) or "all"] = make_table(make_rows(results), metric)
    groups = [[factor] for factor in factors] if len(factors) > 1 and not by else [[*by]]
    if not any(is_from_search(result["trial"]) for result in results):
        for group in groups:
            if group and ", ".join(group) not in tables:
                tables[", ".join(group)] = make_table(make_rows(results, group), metric)
    failures = [f"{r['trial']}: {r['error']}" for r in results if r["status"] == FAILED]
    return Section(name, metric, _note(results, finished), tables, results, failures)


def _note(results: Sequence[Result], finished: Sequence[Result]) -> str:
    parts = [f"{len(finished)} of {quantity(len(results), 'trial')} finished"]
    for key, what in (("version", "seq2seq-jax"), ("jax", "JAX"), ("processors", "processors")):
        values = sorted({str(result[key]) for result in finished if key in result})
        if values:
            parts.append(f"{what} {' and '.join(values)}")
    days = sorted({result["time"][:10] for result in finished if "time" in result})
    if days:
        parts.append(days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}")
    return "; ".join(parts) + "."


def _draw(section: Section, folder: Path) -> list[Path]:
    finished = [result for result in section.results if result["status"] == FINISHED]
    factors = list(section.results[0]["levels"])
    figures = {}
    if finished and factors:
        figures["levels"] = draw_levels(finished, factors, section.metric)
    if curves := _draw_curves(section):
        figures["curves"] = curves
    return [
        save_figure(figure, folder / f"{section.name}_{name}.png")
        for name, figure in figures.items()
    ]


def _page_plots(section: Section) -> list[dict[str, object]]:
    """Return the plots of the page: one for each factor, and the curves, in both color themes."""
    finished = [result for result in section.results if result["status"] == FINISHED]
    factors = list(section.results[0]["levels"]) if finished else []
    draws = {
        f"{section.metric} by {factor}": partial(draw_levels, finished, [factor], section.metric)
        for factor in factors
    }
    if _draw_curves(section):
        draws[f"{section.metric} during training"] = partial(_draw_curves, section)
    plots = []
    for name, draw in draws.items():
        width = round(96 * draw().get_figwidth())  # in CSS pixels
        plots.append({"name": name, "width": width, **draw_themes(draw)})
    return plots


def _draw_curves(section: Section) -> Any:
    """Return the figure of the curves of the trainings; None for a search, or without curves."""
    finished = [result for result in section.results if result["status"] == FINISHED]
    if not finished or any(is_from_search(result["trial"]) for result in finished):
        return None
    return draw_curves(_by_training(finished), section.metric)


def _by_training(results: Sequence[Result]) -> list[Row]:
    """Return one row per training; of trials that share a training, the first one counts."""
    seen: dict[str, Result] = {}
    for result in results:
        seen.setdefault(result["workdir"], result)
    return make_rows(seen.values())
