"""A tiny image encoder, and a directory of tiny images with captions."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from PIL import Image

from seq2seq_jax.captioning.models.inception_encoder import CellReader

COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "grey": (99, 99, 99)}


class TinyEncoder(nn.Module):
    """Projects the mean colors of the four quarters of an image and normalizes them."""

    trainable: str = "none"
    num_units: int = 0
    normalize: bool = False
    dropout_keep_prob: float = 1.0
    resize_height: int = 4
    resize_width: int = 6
    final_state: str = "cells"
    final_units: int = 0
    num_prototypes: int = 0

    def setup(self):
        self.network = _Quarters(self.trainable != "none")
        self.reader = CellReader(
            num_units=self.num_units,
            normalize=self.normalize,
            dropout_keep_prob=self.dropout_keep_prob,
            final_state=self.final_state,
            final_units=self.final_units,
            num_prototypes=self.num_prototypes,
        )

    def cells(self, images, *, train=False):
        return self.network(images, train=train)

    def read(self, cells, *, train=False):
        return self.reader(cells, train=train)

    def __call__(self, images, *, train=False):
        return self.read(self.cells(images, train=train), train=train)


class _Quarters(nn.Module):
    trained: bool

    @nn.compact
    def __call__(self, images, *, train):
        count, height, width, _ = images.shape
        quarters = images.reshape(count, 2, height // 2, 2, width // 2, 3).mean((2, 4)) / 255
        init = nn.initializers.normal(1.0)
        if self.trained:
            kernel = self.param("kernel", init, (3, 5))
        else:
            draw = lambda: init(self.make_rng("params"), (3, 5))  # noqa: E731
            kernel = self.variable("frozen", "kernel", draw).value
        mean = self.variable("batch_stats", "mean", jnp.zeros, 5)
        cells = quarters.reshape(count, 4, 3) @ kernel
        if not (train and self.trained):
            return cells - mean.value
        batch_mean = cells.mean((0, 1))
        if self.is_mutable_collection("batch_stats") and not self.is_initializing():
            mean.value += 0.1 * (jax.lax.stop_gradient(batch_mean) - mean.value)
        return cells - batch_mean


def write_images(directory):
    """Write sixteen images with two colors each, and return the file of their captions."""
    lines = []
    for left, left_color in COLORS.items():
        for right, right_color in COLORS.items():
            pixels = np.zeros((8, 12, 3), np.uint8)
            pixels[:, :6], pixels[:, 6:] = left_color, right_color
            Image.fromarray(pixels).save(directory / f"{left}_{right}.png")
            lines.append(f"{left}_{right}.png\t{left} {right}\n")
    (directory / "captions.tsv").write_text("".join(lines))
    return directory / "captions.tsv"
