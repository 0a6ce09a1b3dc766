"""Attention weights as a heat map."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seq2seq_jax.reports.figures import new_figure, save_figure
from seq2seq_jax.reports.fonts import choose_fonts


def plot_attention(
    attention: np.ndarray,
    source_tokens: Sequence[str],
    target_tokens: Sequence[str],
    path: str | Path,
) -> Path:
    """Plot attention weights, with source tokens as columns and target tokens as rows.

    Darker cells have larger weights. The color scale ends at the largest weight, so that
    distributed attention is visible as well.

    Args:
      attention: [T, S] weights of each target token.
      source_tokens: The S source tokens.
      target_tokens: The T target tokens, including SEQUENCE_END if it has a row; at least one.
      path: The file, .png or .svg.

    Returns:
      The path of the file.

    Raises:
      ValueError: The shape is not [T, S].
    """
    attention = np.asarray(attention, np.float32)
    shape = (len(target_tokens), len(source_tokens))
    if attention.shape != shape or 0 in shape:
        raise ValueError(f"attention has shape {attention.shape}; there are {shape} tokens")

    fonts = choose_fonts([*source_tokens, *target_tokens])
    cell = 0.3 if max(shape) <= 40 else 0.22  # inches
    text = {"family": fonts.families, "parse_math": False, "fontsize": 30 * cell}
    # The axes fill the figure; labels extend it when it is cropped.
    width, height = cell * shape[1], cell * shape[0]
    figure = new_figure(width, height, fitted=False)
    axis = figure.add_axes((0, 0, 1, 1))
    mesh = axis.pcolormesh(
        attention, cmap="Blues", vmin=0, vmax=max(attention.max(), 1e-9), edgecolor="white", lw=0.4
    )
    axis.invert_yaxis()
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.spines[:].set_color("0.8")
    axis.set_xticks(
        np.arange(shape[1]) + 0.5, [fonts.label(t) for t in source_tokens], rotation=90, **text
    )
    axis.set_yticks(np.arange(shape[0]) + 0.5, [fonts.label(t) for t in target_tokens], **text)
    bar_height = min(1.0, 1.6 / height)
    position = (1 + 0.15 / width, 0.5 - bar_height / 2, 0.1 / width, bar_height)
    colorbar_axis = axis.inset_axes(position)
    bar = figure.colorbar(mesh, cax=colorbar_axis)
    bar.outline.set_visible(False)
    colorbar_axis.tick_params(labelsize=7, length=2)
    return save_figure(figure, path, cropped=True)
