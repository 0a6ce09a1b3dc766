"""What InceptionV3 is given to compute, the same for every framework; numpy alone."""

import numpy as np

from benchmarks.work import Work

CASES = {"inception75": 16, "inception299": 8}
"""Batch size of each; the number in the name is the height and width of images, in pixels."""
MODES = ("infer", "train")


def inception_work(seconds: float) -> list[Work]:
    return [Work(case, mode, size, seconds) for case, size in CASES.items() for mode in MODES]


def image_size(work: Work) -> int:
    return int(work.case.removeprefix("inception"))


def drawn_images(size: int, number: int) -> np.ndarray:
    """[number, size, size, 3] float32, normally distributed."""
    shape = (number, size, size, 3)
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
