"""Pictures as others might have drawn or taken them: training sees these beside the pictures.

A variant is the picture turned, stretched, moved and resized a little; perhaps blurred or with its
small details wiped out; in slightly other colours, lighter or darker. White stays white, as the
paper it is drawn on. It is never mirrored: many captions say left or right.
"""

import math
from typing import Any

import numpy as np

from seq2seq_jax.captioning.data.decoded_images import DecodedImages

_VERSION = 1  # of `vary`, for what is kept of its results


class ImageVariants:
    """Of M pictures those themselves and `number` variants of each, M (1 + number) in all.

    Picture i is at i (1 + number), its variants are behind it. They are always the same.
    """

    batch_key = "image"
    dtype = np.dtype(np.uint8)

    def __init__(self, images: DecodedImages, number: int):
        self._images, self._of_each = images, 1 + number
        self.shape = images.shape
        self.digest = f"{images.digest}, {number} variants {_VERSION}"

    def __len__(self) -> int:
        return len(self._images) * self._of_each

    @property
    def broken(self) -> set[int]:
        """Indices of those that were found broken and are passed over, so far."""
        count = self._of_each
        return {i * count + j for i in self._images.broken for j in range(count)}

    def get(self, index: int) -> np.ndarray | None:
        """As `DecodedImages.get`."""
        picture, variant = divmod(index, self._of_each)
        image = self._images.get(picture)
        return image if image is None or not variant else vary(image, picture, variant)


def vary(image: np.ndarray, *seed: int) -> np.ndarray:
    """A variant of a picture [H, W, 3] uint8, of the same size; decided by the seed."""
    from PIL import Image

    draws = _Draws(seed)
    picture = _blurred(_moved(Image.fromarray(image), draws), draws)
    hsv = np.asarray(picture.convert("HSV")).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + draws.between(-12, 12)) % 256
    hsv[..., 1] = np.minimum(hsv[..., 1] * math.exp(draws.between(-0.5, 0.4)), 255)
    picture = Image.frombytes("HSV", picture.size, hsv.astype(np.uint8).tobytes()).convert("RGB")
    # Powers of brightness, so that black and white stay; a little another one for each colour.
    common = draws.between(-0.45, 0.45)
    powers = [math.exp(common + draws.between(-0.1, 0.1)) for _ in range(3)]
    levels = (np.arange(256) / 255)[:, None] ** powers
    table = np.rint(255 * levels).astype(np.uint8).T.reshape(-1)
    return np.asarray(picture.point(table.tolist()))


class _Draws:
    """Numbers that are the same in all versions of numpy, whose own distributions may change."""

    def __init__(self, seed: tuple[int, ...]):
        self._random = np.random.PCG64(np.random.SeedSequence(seed))

    def between(self, least: float, most: float) -> float:
        return least + (most - least) * (int(self._random.random_raw()) >> 11) / 2**53


def _moved(picture: Any, draws: _Draws) -> Any:
    from PIL import Image

    width, height = picture.size
    angle = math.radians(draws.between(-12, 12))
    across = math.exp(draws.between(-0.22, 0.18))
    down = across * math.exp(draws.between(-0.15, 0.15))
    slant = draws.between(-0.12, 0.12)
    shift = [draws.between(-0.08, 0.08) * width, draws.between(-0.08, 0.08) * height]
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    # Pillow asks for each place of the result where it comes from.
    back = turn @ np.array([[1, slant], [0, 1]]) @ np.diag([1 / across, 1 / down])
    middle = np.array([width, height]) / 2
    offset = middle - back @ (middle + shift)
    places = np.column_stack([back, offset]).reshape(-1).tolist()
    method, smoothly = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    return picture.transform(picture.size, method, places, smoothly, fillcolor=(255, 255, 255))


def _blurred(picture: Any, draws: _Draws) -> Any:
    from PIL import ImageFilter

    which = draws.between(0, 10)
    if which < 2.5:
        return picture.filter(ImageFilter.GaussianBlur(draws.between(0.4, 1.4)))
    if which < 5:
        return picture.filter(ImageFilter.MedianFilter(3 if which < 4 else 5))
    if which < 6:
        return picture.filter(ImageFilter.MinFilter(3))
    if which < 7:
        return picture.filter(ImageFilter.MaxFilter(3))
    return picture
