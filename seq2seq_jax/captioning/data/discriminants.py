"""Directions in which pictures differ from one another, and their variants do not.

A picture and its variants show the same thing, and what tells them apart is of no use to whoever
has to name it. Fisher's linear discriminants (Rao 1948, "The utilization of multiple measurements
in problems of biological classification") are the directions with the most scatter between pictures
for their scatter within them, and here each picture is a class of its own.
"""

import numpy as np

from seq2seq_jax.captioning.data.feature_cache import CachedFeatures

MOST_PICTURES = 4096
"""Enough for the scatter of some hundred channels; of larger sets, so many evenly spread ones."""

_SHRINKAGE = 0.02  # share of the mean variance that is added to each, so that none is nearly zero


def discriminants(
    features: CachedFeatures, variants: int, count: int, *, at_once: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """The `count` best of them, as a dense layer over the channels of each cell.

    Along each, the scatter within pictures becomes one; the mean of all becomes zero.

    Args:
      features: [M (1 + variants), cells, C], each picture before its variants.
      count: at most C.
      at_once: pictures.

    Returns:
      kernel [C, count], bias [count], both float32.
    """
    copies_per_image, channels = 1 + variants, features.shape[-1]
    number = len(features) // copies_per_image
    chosen = np.unique(np.linspace(0, number - 1, min(number, MOST_PICTURES)).astype(np.int64))
    chosen = np.array([i for i in chosen if i * copies_per_image not in features.broken])
    within, between = np.zeros((channels, channels)), np.zeros((channels, channels))
    total, cells = np.zeros(channels), 0
    for start in range(0, len(chosen), at_once):
        rows = chosen[start : start + at_once, None] * copies_per_image + np.arange(
            copies_per_image
        )
        group = features.features[rows].astype(np.float32)  # [pictures, 1 + variants, cells, C]
        means = group.mean(axis=1)
        deviations = (group - means[:, None]).reshape(-1, channels)
        means = means.reshape(-1, channels)
        within += deviations.T @ deviations / copies_per_image
        between += means.T @ means
        total += means.sum(axis=0, dtype=np.float64)
        cells += len(means)
    mean = total / cells
    within /= cells
    between = between / cells - np.outer(mean, mean)
    within += _SHRINKAGE * np.trace(within) / channels * np.eye(channels)
    variances, directions = np.linalg.eigh(within)
    whitening = directions / np.sqrt(variances)
    _, best_last = np.linalg.eigh(whitening.T @ between @ whitening)
    kernel = whitening @ best_last[:, ::-1][:, :count]
    return kernel.astype(np.float32), (-mean @ kernel).astype(np.float32)
