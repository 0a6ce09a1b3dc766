"""The learning curves of runs: a picture, a page for the browser, one line for the terminal."""

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seq2seq_jax.reports.figures import new_figure, save_figure
from seq2seq_jax.reports.html_page import finite, write_page
from seq2seq_jax.storage.metrics_log import metrics_file, read_metrics
from seq2seq_jax.utils.errors import UserError

Curves = dict[str, tuple[list[int], list[float]]]
"""Name of a metric -> steps and values."""


def plot_learning_curve(workdir: str | Path, path: str | Path | None = None) -> Path:
    """Draws training loss and dev metrics of a workdir over steps.

    Args:
      workdir: the one whose `metrics.jsonl` is read.
      path: where the picture goes; `WORKDIR/learning_curve.png` if not given.

    Raises:
      UserError: nothing has been logged yet.
    """
    return plot_learning_curves([workdir], path or Path(workdir) / "learning_curve.png")


def plot_learning_curves(workdirs: Sequence[str | Path], path: str | Path) -> Path:
    """Draws the runs of several workdirs over each other, a colour a run.

    The first panel has nats a token: `train/loss`, pale as it was logged and strong smoothed, and
    dashed `dev/log_perplexity`. Every metric of the dev set that is a percentage has a panel of its
    own.

    Args:
      path: .png or .svg.

    Raises:
      UserError: one of the workdirs has logged nothing yet.
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
            colour = f"C{i % 10}"
            for name in names:
                if name not in curves:
                    continue
                steps, values = curves[name]
                label = name if len(runs) == 1 else run
                # Few points, as of evaluations, are marked, or a single one would not be seen.
                style = {"color": colour, "marker": "." if len(steps) < 50 else ""}
                if name == "train/loss":
                    axis.plot(steps, values, color=colour, alpha=0.3, lw=1)
                    axis.plot(steps, smoothed(values, _weight(len(values))), label=label, **style)
                elif len(names) == 1:
                    axis.plot(steps, values, label=label, **style)
                else:
                    label += ", dev" if len(runs) > 1 else ""
                    axis.plot(steps, values, "--", label=label, **style)
        axis.set_title(title, fontsize=10)
        axis.tick_params(labelbottom=True)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    # One legend for all: the panels share their colours.
    figure.axes[0].legend(fontsize=8, ncols=1 + len(runs) // 6)
    return save_figure(figure, path)


def write_learning_curves(workdirs: Sequence[str | Path], path: str | Path) -> Path:
    """Writes all metrics of one or several runs as a page to zoom in: self-contained HTML.

    Raises:
      UserError: one of the workdirs has logged nothing yet.
    """
    runs = _read_runs(workdirs)
    names = dict.fromkeys(name for curves in runs.values() for name in curves)
    shown = [name for _, panel in _panels(runs) for name in panel]
    data = {
        "runs": [
            {
                "name": run,
                "curves": {
                    name: [steps, [finite(value, 6) for value in values]]
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


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """The exponential moving average: each value is worth `weight` times the one after it.

    Corrected for its start (as Adam's moments, arXiv:1412.6980); what is not finite is passed over.
    """
    average, norm, result = 0.0, 0.0, []
    for value in values:
        if math.isfinite(value):
            average = weight * average + (1 - weight) * value
            norm = weight * norm + (1 - weight)
        result.append(average / norm if norm else math.nan)
    return result


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """The curve as one line of blocks, lowest ▁ to highest █.

    More values than `width` are averaged into that many bins; what is not finite is left blank.
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
    """Every curve of a workdir as a line: its name, its shape, its first and last value."""
    curves = {
        name: values
        for name, (_, values) in _curves(read_metrics(workdir)).items()
        if not name.endswith(("_per_second", "cpu_seconds"))
    }
    width = max(map(len, curves), default=0)
    return "\n".join(
        f"{name:<{width}}  {sparkline(values):<40}  {values[0]:.4g} -> {values[-1]:.4g}"
        for name, values in curves.items()
    )


_BLOCKS = "▁▂▃▄▅▆▇█"
_NATS = ["train/loss", "dev/log_perplexity"]
_NOT_PERCENT = {"dev/log_perplexity", "dev/perplexity", "dev/loss"}


def _read_runs(workdirs: Sequence[str | Path]) -> dict[str, Curves]:
    """The curves of each workdir, by the shortest ends of their paths that tell them apart."""
    runs = {}
    for name, workdir in zip(_names(workdirs), workdirs, strict=True):
        runs[name] = _curves(read_metrics(workdir))
        if not any(_panels({name: runs[name]})):
            raise UserError(str(metrics_file(workdir)), "no losses or dev metrics logged yet")
    return runs


def _names(workdirs: Sequence[str | Path]) -> Iterator[str]:
    parts = [Path(workdir).resolve().parts for workdir in dict.fromkeys(workdirs)]
    length = next(n for n in itertools.count(1) if len({p[-n:] for p in parts}) == len(set(parts)))
    return ("/".join(Path(workdir).resolve().parts[-length:]) for workdir in workdirs)


def _panels(runs: dict[str, Curves]) -> list[tuple[str, list[str]]]:
    """A title and the names of its metrics for each panel that has anything to show."""
    names = dict.fromkeys(name for curves in runs.values() for name in curves)
    nats = [name for name in _NATS if name in names]
    percent = [name for name in names if name.startswith("dev/") and name not in _NOT_PERCENT]
    panels = [("nats a token", nats), *((f"{name}, %", [name]) for name in percent)]
    return [panel for panel in panels if panel[1]]


def _curves(entries: list[dict[str, Any]]) -> Curves:
    """Steps and values of every number that was logged, by name."""
    curves: Curves = {}
    for entry in entries:
        for name, value in entry.items():
            if name != "step" and isinstance(value, int | float):
                steps, values = curves.setdefault(name, ([], []))
                steps.append(entry["step"])
                values.append(value)
    return curves


def _weight(count: int) -> float:
    """For `smoothed`, so that about fifty values remain independent of each other."""
    return max(0.0, 1 - 50 / count)


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan
