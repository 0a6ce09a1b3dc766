"""Weights and images for InceptionV3 that need not be stored: drawn from a number.

They are shared by the script that made `tests/models/inception_v3.npz` and the tests that read it.
"""

import numpy as np


def drawn(number: int, leaf: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of convolution `number` (0 to 93, in the order in which the network is built).

    Args:
      leaf: `kernel`, and of batch norm `bias`, `scale`, `mean` or `var`.
      shape: a kernel's is [h, w, C, D].
    """
    leaves = ("kernel", "bias", "scale", "mean", "var")
    random = np.random.Generator(np.random.PCG64([number, leaves.index(leaf)]))
    values = random.random(shape, np.float32)
    if leaf == "kernel":  # keeps the size of what passes through
        return (2 * values - 1) * np.sqrt(np.float32(6 / np.prod(shape[:3])))
    if leaf in ("scale", "var"):
        return values + np.float32(0.5)
    return (values - np.float32(0.5)) / 2


def drawn_images(size: int, number: int) -> np.ndarray:
    """uint8 [number, size, size, 3]: colours that change slowly, so that all scales see some."""
    random = np.random.Generator(np.random.PCG64([size, number]))
    coarse = random.random((number, 7, 7, 3))
    cells = np.arange(size) * 7 // size
    fine = random.random((number, size, size, 3))
    return (255 * (0.7 * coarse[:, cells][:, :, cells] + 0.3 * fine)).astype(np.uint8)
