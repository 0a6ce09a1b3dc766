"""How long the texts of a corpus are, as a picture."""

from pathlib import Path

import numpy as np

from seq2seq_jax.utils.atomic_io import atomic_replace

_SHOWN = 99.5  # per cent of the texts: one very long line must not squeeze all others


def plot_lengths(sources: np.ndarray, targets: np.ndarray, path: str | Path) -> Path:
    """Draws the distribution of lengths to a PNG: of each side, and of both together.

    Args:
      sources, targets: [N], lengths in tokens; the i-th ones are a pair.
    """
    # Slow to import, and needed here alone. Without pyplot no display is looked for.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    sides = {"source": sources, "target": targets}
    limits = [max(1, int(np.percentile(lengths, _SHOWN))) for lengths in sides.values()]
    step = -(-max(limits) // 60)
    edges = [np.arange(0, limit + step + 1, step) - 0.5 for limit in limits]

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    alone, together = figure.subplots(1, 2)
    for (name, lengths), color in zip(sides.items(), ("C0", "C1"), strict=True):
        beyond = int((lengths > max(limits)).sum())
        label = f"{name}: median {np.median(lengths):g}, longest {lengths.max():,}"
        if beyond:
            label += f" ({beyond:,} not shown)"
        alone.hist(lengths, max(edges, key=len), label=label, color=color, alpha=0.5)
    alone.set_xlabel("tokens in a text")
    alone.set_ylabel("texts" if step == 1 else f"texts, by {step} tokens")
    alone.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    alone.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)

    _, _, _, cells = together.hist2d(sources, targets, edges, norm=LogNorm(vmin=1))
    figure.colorbar(cells, ax=together, label="pairs")
    together.set_xlabel("source tokens")
    together.set_ylabel("target tokens")
    for axis in (alone, together):
        axis.grid(alpha=0.3)
        for ticks in (axis.xaxis, axis.yaxis):
            ticks.set_major_locator(MaxNLocator(integer=True, nbins=8))
    together.set_title(f"{len(sources):,} pairs", fontsize="medium")
    path = Path(path)
    with atomic_replace(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
    return path
