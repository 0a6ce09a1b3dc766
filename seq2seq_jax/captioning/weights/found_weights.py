"""What was found in a file of weights of InceptionV3, whatever its format."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Key = tuple[str, str, str]
"""Block, convolution (`models.inception_v3.convolutions`) and leaf: `kernel` [h, w, C, D], and of
batch norm `bias`, `scale`, `mean` and `var`, [D] each."""


class Named(NamedTuple):
    """An array and its name in the file."""

    name: str
    value: np.ndarray


class FoundWeights(NamedTuple):
    """The arrays of a file.

    Attributes:
      arrays: those of the network's blocks.
      expected_name: how the file would have called what it lacks.
      unexpected: names in it that look like the network's, and are not.
      passed_over: names of what the network has no use for: a classifier, say.
    """

    arrays: dict[Key, Named]
    expected_name: Callable[[Key], str]
    unexpected: list[str]
    passed_over: list[str]
