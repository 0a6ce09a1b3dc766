"""The learning curve of a run: a picture, and one line for the terminal."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq_jax.errors import UserError
from seq2seq_jax.training.metric_writers import metrics_file, read_metrics


def plot_learning_curve(workdir: str | Path, path: str | Path | None = None) -> Path:
    """Draws training loss and dev metrics of a workdir over steps.

    Above: nats a token (`train/loss`, `dev/log_perplexity`); below: all metrics of the dev set that
    are percentages.

    Args:
      workdir: the one whose `metrics.jsonl` is read.
      path: where the PNG goes; `WORKDIR/learning_curve.png` if not given.

    Raises:
      UserError: nothing has been logged yet.
    """
    # Slow to import, and not needed for the curves in the terminal. Without pyplot there is no
    # global state and no display is looked for.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curves = _curves(read_metrics(workdir))
    nats = {name: curves[name] for name in ("train/loss", "dev/log_perplexity") if name in curves}
    percent = {
        name: curve
        for name, curve in curves.items()
        if name.startswith("dev/") and name not in _NOT_PERCENT
    }
    panels = [(label, drawn) for label, drawn in (("nats a token", nats), ("%", percent)) if drawn]
    if not panels:
        raise UserError(str(metrics_file(workdir)), "no losses or dev metrics logged yet")

    figure = Figure(figsize=(7, 3 * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axis, (label, drawn) in zip(axes, panels, strict=True):
        for name, (steps, values) in drawn.items():
            # Few points, as of evaluations, are marked, or a single one would not be seen.
            axis.plot(steps, values, label=name, marker="." if len(steps) < 50 else "")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        axis.legend()
    axes[-1].set_xlabel("step")
    path = Path(path) if path is not None else Path(workdir) / "learning_curve.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return path


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
_NOT_PERCENT = {"dev/log_perplexity", "dev/perplexity", "dev/loss"}


def _curves(entries: list[dict[str, Any]]) -> dict[str, tuple[list[int], list[float]]]:
    """Steps and values of every number that was logged, by name."""
    curves: dict[str, tuple[list[int], list[float]]] = {}
    for entry in entries:
        for name, value in entry.items():
            if name != "step" and isinstance(value, int | float):
                steps, values = curves.setdefault(name, ([], []))
                steps.append(entry["step"])
                values.append(value)
    return curves


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan
