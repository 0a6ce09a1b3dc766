"""The measurements of InceptionV3, the same for every toolkit; needs numpy only."""

import numpy as np

from benchmarks.work import Work

CASES = {"inception75": 16, "inception299": 8}
"""Name -> batch size; the number in the name is the height and width of the images in pixels."""
MODES = ("infer", "train")


def inception_works(seconds: float) -> list[Work]:
    """List the measurements.

    Args:
      seconds: The seconds for each.
    """
    return [Work(case, mode, size, seconds) for case, size in CASES.items() for mode in MODES]


def image_size(work: Work) -> int:
    """Return the height and width of the images in pixels.

    Args:
      work: The measurement.
    """
    return int(work.case.removeprefix("inception"))


def random_images(size: int, number: int) -> np.ndarray:
    """Draw normally distributed images, [number, size, size, 3] float32.

    Args:
      size: Height and width in pixels.
      number: The number of images.
    """
    shape = (number, size, size, 3)
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
