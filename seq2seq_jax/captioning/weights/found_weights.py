"""The content of a file of InceptionV3 weights, independent of its format."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Key = tuple[str, str, str]
"""Block, convolution (see `inception_blocks.convolutions`) and leaf: `kernel` [h, w, C, D], and of
batch normalization `bias`, `scale`, `mean` and `var`, [D] each."""


class Named(NamedTuple):
    """An array and its name in the file."""

    name: str
    value: np.ndarray


class FoundWeights(NamedTuple):
    """The arrays of a file.

    Attributes:
      arrays: The arrays of the network's blocks.
      expected_name: Returns the name that an array would have in the file.
      unexpected: Names that look like the network's, but that it does not have.
      ignored: Names of arrays that the network does not need, such as a classifier's.
    """

    arrays: dict[Key, Named]
    expected_name: Callable[[Key], str]
    unexpected: list[str]
    ignored: list[str]
