"""Pictures with their captions, and where the model looked at each word.

As in Show, Attend and Tell (Xu et al. 2015, arXiv:1502.03044, figure 2): the more attention, the
brighter; a dark veil lies over the rest.
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
    """A picture and what a model says of it.

    Attributes:
      image: [H, W, 3] uint8, red, green, blue.
      tokens: T words.
      attention: [T, h, w] weights over the picture, of each word.
      references: captions by people, as texts.
      name: of the picture; may be empty.
    """

    image: np.ndarray
    tokens: Sequence[str]
    attention: np.ndarray
    references: Sequence[str] = ()
    name: str = ""


def plot_caption(caption: Caption, path: str | Path, columns: int = 6) -> Path:
    """Draws the picture, then once for each word under the veil of its attention.

    Args:
      path: .png or .svg.
      columns: pictures side by side.
    """
    fonts = choose_fonts([*caption.tokens, *caption.references, caption.name])
    text = {"family": fonts.families, "parse_math": False}
    height, width = caption.image.shape[:2]
    shown = [caption.image, *(_veiled(caption.image, veil) for veil in _veils(caption))]
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)

    # One pair of axes, in inches from the upper left, holds all: a pair a picture takes seconds.
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
    """Writes a self-contained HTML page on which each word shows where the model looked."""
    data = [
        {
            "name": caption.name,
            "image": _data_uri(caption.image),
            "width": caption.image.shape[1],
            "height": caption.image.shape[0],
            "tokens": list(caption.tokens),
            "references": list(caption.references),
            "veilWidth": np.shape(caption.attention)[2],
            "veils": [np.rint(veil * 255).astype(int).ravel().tolist() for veil in _veils(caption)],
        }
        for caption in captions
    ]
    return write_page(path, "caption_page", title, data)


_DARKEST = 0.7  # a little of the picture always shines through


def _veils(caption: Caption) -> np.ndarray:
    """How opaque the veil is over each place: [T, h, w], 0 where a word's attention is largest."""
    attention = np.asarray(caption.attention, np.float32)
    if attention.ndim != 3 or len(attention) != len(caption.tokens):
        raise ValueError(f"attention has shape {attention.shape} for {len(caption.tokens)} tokens")
    largest = attention.max(axis=(1, 2), keepdims=True, initial=1e-9)
    return _DARKEST * (1 - attention / largest)


def _veiled(image: np.ndarray, veil: np.ndarray) -> np.ndarray:
    """The picture under a veil [h, w] that is enlarged to it, bilinearly."""
    height, width = image.shape[:2]
    opacity = _between(veil.shape[0], height) @ veil @ _between(veil.shape[1], width).T
    return (image * (1 - opacity[..., None])).astype(np.uint8)


def _between(few: int, many: int) -> np.ndarray:
    """[many, few] weights of linear interpolation; pixels stand for their centres."""
    places = np.clip((np.arange(many) + 0.5) * few / many - 0.5, 0, few - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(few))).astype(np.float32)


def _data_uri(image: np.ndarray) -> str:
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, image, format="jpeg", pil_kwargs={"quality": 88})
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
