"""The learning curves of runs: a plot, an HTML page, and lines for the terminal."""

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seq2seq_jax.data.grouping import MACRO
from seq2seq_jax.reports.figures import new_figure, save_figure
from seq2seq_jax.reports.html_page import finite_or_none, write_page
from seq2seq_jax.storage.metrics_log import CHANGES, metrics_file, read_metrics
from seq2seq_jax.utils.errors import UserError

Curves = dict[str, tuple[list[int], list[float]]]
"""Name of a metric -> steps and values."""


def plot_learning_curve(workdir: str | Path, path: str | Path | None = None) -> Path:
    """Plot the training loss and the dev metrics of a run over the steps.

    Args:
      workdir: The workdir, whose `metrics.jsonl` is read.
      path: The file, .png or .svg. The default is `WORKDIR/learning_curve.png`.

    Returns:
      The path of the file.

    Raises:
      UserError: Nothing has been logged yet.
    """
    return plot_learning_curves([workdir], path or Path(workdir) / "learning_curve.png")


def plot_learning_curves(workdirs: Sequence[str | Path], path: str | Path) -> Path:
    """Plot the learning curves of several runs in the same panels, one color per run.

    The first panel shows nats per token: `train/loss`, raw (pale) and smoothed, and
    `dev/log_perplexity` (dashed). Each metric of the dev set that is a percentage has its own
    panel. A dotted vertical line marks a step at which keys changed (`--allow-changes`).

    Args:
      workdirs: The workdirs of the runs.
      path: The file, .png or .svg.

    Returns:
      The path of the file.

    Raises:
      UserError: A run has logged nothing yet.
    """
    runs = _read_runs(workdirs)
    panels = _panels(runs)
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(7 if columns == 1 else 11, 3.2 * rows)
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    for axis, (title, names) in zip(axes, panels, strict=False):
        for i, (run, curves) in enumerate(runs.items()):
            color = f"C{i % 10}"
            for name in names:
                if name not in curves:
                    continue
                steps, values = curves[name]
                label = name if len(runs) == 1 else run
                # Mark few points, as of evaluations, so that a single one is visible.
                style = {"color": color, "marker": "." if len(steps) < 50 else ""}
                if name == "train/loss":
                    axis.plot(steps, values, color=color, alpha=0.3, lw=1)
                    axis.plot(steps, smooth(values, _weight(len(values))), label=label, **style)
                elif len(names) == 1:
                    axis.plot(steps, values, label=label, **style)
                else:
                    label += ", dev" if len(runs) > 1 else ""
                    axis.plot(steps, values, "--", label=label, **style)
        for workdir in workdirs:
            for step in _changes(workdir):
                axis.axvline(step, color="0.5", ls=":", lw=1)
        axis.set_title(title, fontsize=10)
        axis.tick_params(labelbottom=True)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    # The panels share their colors and one legend.
    figure.axes[0].legend(fontsize=8, ncols=1 + len(runs) // 6)
    return save_figure(figure, path)


def write_learning_curves(workdirs: Sequence[str | Path], path: str | Path) -> Path:
    """Write all metrics of one or more runs as a self-contained page with zoomable plots.

    Args:
      workdirs: The workdirs of the runs.
      path: The .html file.

    Returns:
      The path of the file.

    Raises:
      UserError: A run has logged nothing yet.
    """
    runs = _read_runs(workdirs)
    names = dict.fromkeys(name for curves in runs.values() for name in curves)
    shown = [name for _, panel in _panels(runs) for name in panel]
    changes = [change for workdir in workdirs for change in _changes(workdir).items()]
    data = {
        "changes": changes,
        "runs": [
            {
                "name": run,
                "curves": {
                    name: [steps, [finite_or_none(value, 6) for value in values]]
                    for name, (steps, values) in curves.items()
                },
            }
            for run, curves in runs.items()
        ],
        "smoothing": _weight(max(len(steps) for run in runs.values() for steps, _ in run.values())),
        "panels": _panels(runs),
        "more": [(name, [name]) for name in names if name not in shown],
    }
    return write_page(path, "learning_curve", "Learning curves: " + ", ".join(runs), data)


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """Return the exponential moving average, corrected for its start as Adam's moments are.

    Args:
      values: The values; those that are not finite are skipped.
      weight: The decay of the average, from 0 to below 1 (beta in arXiv:1412.6980).

    Example:
      >>> smooth([1.0, 1.0, 4.0], 0.5)[:2]
      [1.0, 1.0]
    """
    average, norm, result = 0.0, 0.0, []
    for value in values:
        if math.isfinite(value):
            average = weight * average + (1 - weight) * value
            norm = weight * norm + (1 - weight)
        result.append(average / norm if norm else math.nan)
    return result


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """Draw a curve as one line of blocks, from ▁ (lowest) to █ (highest).

    Args:
      values: The values; those that are not finite are blank.
      width: The maximum number of blocks. More values are averaged into as many bins.

    Example:
      >>> sparkline([0, 1, 2, 3])
      '▁▃▆█'
    """
    if not values:
        return ""
    count = min(width, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)]
    bins = [_mean(values[a:b]) for a, b in itertools.pairwise(edges)]
    finite = [value for value in bins if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(
        _BLOCKS[round((value - low) * scale)] if math.isfinite(value) else " " for value in bins
    )


def terminal_curves(workdir: str | Path) -> str:
    """Return one line per curve of a run: its name, sparkline, and first and last value.

    The results of single groups, such as languages, are left out.

    Args:
      workdir: The workdir.
    """
    curves = {
        name: values
        for name, (_, values) in _curves(read_metrics(workdir)).items()
        if not name.endswith(("_per_second", "cpu_seconds")) and not _is_of_group(name)
    }
    width = max(map(len, curves), default=0)
    return "\n".join(
        f"{name:<{width}}  {sparkline(values):<40}  {values[0]:.4g} -> {values[-1]:.4g}"
        for name, values in curves.items()
    )


_BLOCKS = "▁▂▃▄▅▆▇█"
_NATS = ["train/loss", "dev/log_perplexity"]
_NOT_PERCENT = ("/log_perplexity", "/perplexity", "/loss")


def _read_runs(workdirs: Sequence[str | Path]) -> dict[str, Curves]:
    """Return the curves of each workdir, by the shortest distinct ends of their paths."""
    runs = {}
    for name, workdir in zip(_names(workdirs), workdirs, strict=True):
        runs[name] = _curves(read_metrics(workdir))
        if not any(_panels({name: runs[name]})):
            raise UserError(str(metrics_file(workdir)), "no losses or dev metrics logged yet")
    return runs


def _changes(workdir: str | Path) -> dict[int, str]:
    """Return the steps at which keys changed, and what changed."""
    return {
        entry["step"]: str(entry[CHANGES]) for entry in read_metrics(workdir) if CHANGES in entry
    }


def _names(workdirs: Sequence[str | Path]) -> Iterator[str]:
    parts = [Path(workdir).resolve().parts for workdir in dict.fromkeys(workdirs)]
    length = next(n for n in itertools.count(1) if len({p[-n:] for p in parts}) == len(set(parts)))
    return ("/".join(Path(workdir).resolve().parts[-length:]) for workdir in workdirs)


def _panels(runs: dict[str, Curves]) -> list[tuple[str, list[str]]]:
    """Return the title and the metrics of each panel that is not empty."""
    names = dict.fromkeys(name for curves in runs.values() for name in curves)
    nats = [name for name in _NATS if name in names]
    percent = filter(_is_percentage, names)
    panels = [("nats per token", nats), *((f"{name}, %", [name]) for name in percent)]
    return [panel for panel in panels if panel[1]]


def _is_percentage(name: str) -> bool:
    """Return whether a name is that of a percentage on the dev set, or of its macro average."""
    return name.startswith("dev/") and not name.endswith(_NOT_PERCENT) and not _is_of_group(name)


def _is_of_group(name: str) -> bool:
    """Return whether a result is that of a single group, as `dev/language/de/bleu` is."""
    return name.count("/") > 2 and f"/{MACRO}/" not in name


def _curves(entries: list[dict[str, Any]]) -> Curves:
    """Return the steps and values of all logged numbers, by name."""
    curves: Curves = {}
    for entry in entries:
        for name, value in entry.items():
            if name != "step" and isinstance(value, int | float):
                steps, values = curves.setdefault(name, ([], []))
                steps.append(entry["step"])
                values.append(value)
    return curves


def _weight(count: int) -> float:
    """Return a weight for `smooth` that leaves about fifty independent values."""
    return max(0.0, 1 - 50 / count)


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan
