"""The plot of the lengths of a corpus."""

from pathlib import Path

import numpy as np

from seq2seq_jax.reports.figures import new_figure, save_figure

_SHOWN = 99.5
"""Percentage of the texts that are shown, so that a very long line does not squeeze the others."""


def plot_lengths(sources: np.ndarray, targets: np.ndarray, path: str | Path) -> Path:
    """Plot the distribution of lengths: of each side, and of both sides together.

    Args:
      sources: [N] lengths of the sources, in tokens.
      targets: [N] lengths of the targets.
      path: The file, .png or .svg.

    Returns:
      The path of the file.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    sides = {"source": sources, "target": targets}
    limits = [max(1, int(np.percentile(lengths, _SHOWN))) for lengths in sides.values()]
    step = -(-max(limits) // 60)
    edges = [np.arange(0, limit + step + 1, step) - 0.5 for limit in limits]

    figure = new_figure(10, 4)
    alone, together = figure.subplots(1, 2)
    for (name, lengths), color in zip(sides.items(), ("C0", "C1"), strict=True):
        num_hidden = int((lengths > max(limits)).sum())
        label = f"{name}: median {np.median(lengths):g}, longest {lengths.max():,}"
        if num_hidden:
            label += f" ({num_hidden:,} not shown)"
        alone.hist(lengths, max(edges, key=len), label=label, color=color, alpha=0.5)
    alone.set_xlabel("tokens in a text")
    alone.set_ylabel("texts" if step == 1 else f"texts, by {step} tokens")
    alone.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    alone.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)

    _, _, _, mesh = together.hist2d(sources, targets, edges, norm=LogNorm(vmin=1))
    figure.colorbar(mesh, ax=together, label="pairs")
    together.set_xlabel("source tokens")
    together.set_ylabel("target tokens")
    for axis in (alone, together):
        axis.grid(alpha=0.3)
        for ticks in (axis.xaxis, axis.yaxis):
            ticks.set_major_locator(MaxNLocator(integer=True, nbins=8))
    together.set_title(f"{len(sources):,} pairs", fontsize="medium")
    return save_figure(figure, path)
