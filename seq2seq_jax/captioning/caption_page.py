"""Plots and pages of images with their captions and the attention of each token.

As in Show, Attend and Tell (Xu et al. 2015, arXiv:1502.03044, figure 2), the more attention a
position receives, the brighter it is; a dark overlay covers the rest.
"""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2seq_jax.reports.figures import new_figure, save_figure
from seq2seq_jax.reports.fonts import choose_fonts
from seq2seq_jax.reports.html_page import write_page


class Caption(NamedTuple):
    """An image and the caption of a model.

    Attributes:
      image: [H, W, 3] uint8, red, green, blue.
      tokens: The T tokens of the caption.
      attention: [T, h, w], the attention weights of each token over the image.
      references: Reference captions as texts.
      name: The name of the image; may be empty.
    """

    image: np.ndarray
    tokens: Sequence[str]
    attention: np.ndarray
    references: Sequence[str] = ()
    name: str = ""


def plot_caption(caption: Caption, path: str | Path, columns: int = 6) -> Path:
    """Draw the image, and again for each token with its attention.

    Args:
      caption: The image and its caption.
      path: The file, .png or .svg.
      columns: The number of images in a row.

    Returns:
      The path.
    """
    fonts = choose_fonts([*caption.tokens, *caption.references, caption.name])
    text = {"family": fonts.families, "parse_math": False}
    height, width = caption.image.shape[:2]
    shown = [caption.image, *(_darken(caption.image, one) for one in _overlays(caption))]
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)

    # One pair of axes, in inches from the upper left, for all images: one for each takes seconds.
    across, tall, gap, heading = 1.7, 1.7 * height / width, 0.08, 0.25
    whole = (columns * (across + gap), rows * (tall + heading))
    figure = new_figure(*whole, fitted=False)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    for i, (image, name) in enumerate(zip(shown, [caption.name, *caption.tokens], strict=True)):
        left, top = i % columns * (across + gap), i // columns * (tall + heading) + heading
        axis.imshow(image, extent=(left, left + across, top + tall, top))
        middle = (left + across / 2, top - 0.06)
        axis.text(*middle, fonts.label(name), fontsize=10 if i else 8, ha="center", **text)
    for i, reference in enumerate(caption.references, start=1):
        below = whole[1] + 0.22 * i
        axis.text(0, below, fonts.label(reference), fontsize=9, color="0.35", **text)
    axis.set(xlim=(0, whole[0]), ylim=(whole[1], 0))
    return save_figure(figure, path, cropped=True)


def write_caption_page(
    captions: Sequence[Caption], path: str | Path, title: str = "Captions"
) -> Path:
    """Write a self-contained HTML page on which each token shows its attention.

    Args:
      captions: The images and their captions.
      path: The file.
      title: The title of the page.

    Returns:
      The path.
    """
    data = [
        {
            "name": caption.name,
            "image": _data_uri(caption.image),
            "width": caption.image.shape[1],
            "height": caption.image.shape[0],
            "tokens": list(caption.tokens),
            "references": list(caption.references),
            "overlayWidth": np.shape(caption.attention)[2],
            "overlays": [
                np.rint(one * 255).astype(int).ravel().tolist() for one in _overlays(caption)
            ],
        }
        for caption in captions
    ]
    return write_page(path, "caption_page", title, data)


_MAX_OPACITY = 0.7


def _overlays(caption: Caption) -> np.ndarray:
    """Return the opacity of the overlay, [T, h, w]; 0 where a token's attention is largest."""
    attention = np.asarray(caption.attention, np.float32)
    if attention.ndim != 3 or len(attention) != len(caption.tokens):
        raise ValueError(f"attention has shape {attention.shape} for {len(caption.tokens)} tokens")
    largest = attention.max(axis=(1, 2), keepdims=True, initial=1e-9)
    overlays: np.ndarray = _MAX_OPACITY * (1 - attention / largest)
    return overlays


def _darken(image: np.ndarray, overlay: np.ndarray) -> np.ndarray:
    """Cover an image with an overlay [h, w], which is enlarged to its size bilinearly."""
    height, width = image.shape[:2]
    rows, columns = (
        _interpolation(n, size) for n, size in zip(overlay.shape, (height, width), strict=True)
    )
    opacity = rows @ overlay @ columns.T
    return np.asarray(image * (1 - opacity[..., None]), np.uint8)


def _interpolation(old: int, new: int) -> np.ndarray:
    """Return [new, old], the weights of linear interpolation between the centres of pixels."""
    positions = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    weights = np.maximum(0, 1 - np.abs(positions[:, None] - np.arange(old)))
    return np.asarray(weights, np.float32)


def _data_uri(image: np.ndarray) -> str:
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, image, format="jpeg", pil_kwargs={"quality": 88})
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
