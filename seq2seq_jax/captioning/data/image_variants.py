"""Data augmentation: random variants of images.

A variant is slightly rotated, stretched, shifted and scaled, sometimes blurred or freed of small
details, and has slightly other colours and brightness. White stays white, as it is usually the
background of a drawing. Images are never mirrored, as many captions mention left or right.
"""

import math
from typing import Any

import numpy as np

from seq2seq_jax.captioning.data.decoded_images import DecodedImages

_VERSION = 1  # Increase it when `vary` changes, so that cached features are computed again.


class ImageVariants:
    """M images and `number` variants of each, M (1 + number) in all.

    Image i is at index i (1 + number), and its variants follow it. They are always the same.

    Attributes:
      batch_key: The key of such images in a batch.
      dtype: The type of the pixels.
      shape: (height, width, 3).
      digest: Identifies how the images are made.
    """

    batch_key = "image"
    dtype = np.dtype(np.uint8)

    def __init__(self, images: DecodedImages, number: int) -> None:
        """Compute nothing yet.

        Args:
          images: The M images.
          number: The number of variants of each.
        """
        self._images, self._copies_per_image = images, 1 + number
        self.shape = images.shape
        self.digest = f"{images.digest}, {number} variants {_VERSION}"

    def __len__(self) -> int:
        return len(self._images) * self._copies_per_image

    @property
    def broken(self) -> set[int]:
        """The indices of the images that were found broken and are skipped, so far."""
        count = self._copies_per_image
        return {i * count + j for i in self._images.broken for j in range(count)}

    def get(self, index: int) -> np.ndarray | None:
        """Return an image or a variant; see `DecodedImages.get`."""
        number, variant = divmod(index, self._copies_per_image)
        image = self._images.get(number)
        return image if image is None or not variant else vary(image, number, variant)


def vary(image: np.ndarray, *seed: int) -> np.ndarray:
    """Return a random variant of an image.

    Args:
      image: [H, W, 3] uint8.
      *seed: Numbers that decide the variant.

    Returns:
      [H, W, 3] uint8.
    """
    from PIL import Image

    draws = _Draws(seed)
    variant = _filter(_transform(Image.fromarray(image), draws), draws)
    hsv = np.asarray(variant.convert("HSV")).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + draws.between(-12, 12)) % 256
    hsv[..., 1] = np.minimum(hsv[..., 1] * math.exp(draws.between(-0.5, 0.4)), 255)
    variant = Image.frombytes("HSV", variant.size, hsv.astype(np.uint8).tobytes()).convert("RGB")
    # Powers keep black and white; the exponents of the colours differ slightly.
    common = draws.between(-0.45, 0.45)
    powers = [math.exp(common + draws.between(-0.1, 0.1)) for _ in range(3)]
    levels = (np.arange(256) / 255)[:, None] ** powers
    table = np.rint(255 * levels).astype(np.uint8).T.reshape(-1)
    return np.asarray(variant.point(table.tolist()))


class _Draws:
    """Uniform random numbers that do not depend on the version of NumPy."""

    def __init__(self, seed: tuple[int, ...]) -> None:
        self._random = np.random.PCG64(np.random.SeedSequence(seed))

    def between(self, least: float, most: float) -> float:
        return least + (most - least) * (int(self._random.random_raw()) >> 11) / 2**53


def _transform(image: Any, draws: _Draws) -> Any:
    from PIL import Image

    width, height = image.size
    angle = math.radians(draws.between(-12, 12))
    across = math.exp(draws.between(-0.22, 0.18))
    down = across * math.exp(draws.between(-0.15, 0.15))
    slant = draws.between(-0.12, 0.12)
    shift = [draws.between(-0.08, 0.08) * width, draws.between(-0.08, 0.08) * height]
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    # Pillow takes the inverse map: from positions of the result to positions of the image.
    back = turn @ np.array([[1, slant], [0, 1]]) @ np.diag([1 / across, 1 / down])
    middle = np.array([width, height]) / 2
    offset = middle - back @ (middle + shift)
    coefficients = np.column_stack([back, offset]).reshape(-1).tolist()
    method, resample = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    return image.transform(image.size, method, coefficients, resample, fillcolor=(255, 255, 255))


def _filter(image: Any, draws: _Draws) -> Any:
    from PIL import ImageFilter

    which = draws.between(0, 10)
    if which < 2.5:
        return image.filter(ImageFilter.GaussianBlur(draws.between(0.4, 1.4)))
    if which < 5:
        return image.filter(ImageFilter.MedianFilter(3 if which < 4 else 5))
    if which < 6:
        return image.filter(ImageFilter.MinFilter(3))
    if which < 7:
        return image.filter(ImageFilter.MaxFilter(3))
    return image
