"""A tiny image encoder, and a directory of tiny images for it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from PIL import Image

from seq2seq_jax.captioning.models.feature_head import FeatureHeadConfig
from seq2seq_jax.captioning.models.image_encoder import ImageEncoder

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "grey": (99, 99, 99)}


class TinyEncoder(ImageEncoder):
    """The mean colours of the four quarters of an image, mixed, and normalized over the batch."""

    trainable: str = "none"
    resize_height: int = 4
    resize_width: int = 6
    head: FeatureHeadConfig = FeatureHeadConfig(final_state="grid")

    def setup(self):
        super().setup()
        self.network = _Quarters(self.trainable != "none")

    def grid_features(self, images, *, train=False):
        return self.network(images, train=train)


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
        features = quarters.reshape(count, 4, 3) @ kernel
        if not (train and self.trained):
            return features - mean.value
        batch_mean = features.mean((0, 1))
        if self.is_mutable_collection("batch_stats") and not self.is_initializing():
            mean.value += 0.1 * (jax.lax.stop_gradient(batch_mean) - mean.value)
        return features - batch_mean


def write_images(directory) -> Any:
    """Write sixteen images with two colours each; return the file of their captions."""
    lines = []
    for left, left_colour in COLOURS.items():
        for right, right_colour in COLOURS.items():
            pixels = np.zeros((8, 12, 3), np.uint8)
            pixels[:, :6], pixels[:, 6:] = left_colour, right_colour
            Image.fromarray(pixels).save(directory / f"{left}_{right}.png")
            lines.append(f"{left}_{right}.png\t{left} {right}\n")
    (directory / "captions.tsv").write_text("".join(lines))
    return directory / "captions.tsv"
