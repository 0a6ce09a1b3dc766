"""Directions in which images differ from one another, and the variants of an image do not.

An image and its variants show the same thing, so the differences between them do not help to
describe it. Fisher's linear discriminants (Rao 1948, "The utilization of multiple measurements in
problems of biological classification") are the directions with the largest ratio of scatter between
classes to scatter within them. Here each image is a class.
"""

import numpy as np

from seq2seq_jax.captioning.data.feature_cache import CachedFeatures

MAX_IMAGES = 4096
"""The number of images that the scatter is estimated from; enough for some hundred channels."""

_SHRINKAGE = 0.02  # The fraction of the mean variance that is added to each variance.


def discriminants(
    features: CachedFeatures, variants: int, count: int, *, images_at_once: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Compute a dense layer over the channels of each spatial position.

    The layer projects onto the discriminants with the largest ratios. In its output the variance
    within images is one in each direction, and the mean over all images is zero.

    Args:
      features: [M (1 + variants), S, C]; the variants of each image follow it.
      variants: The number of variants of each image.
      count: The number of discriminants, at most C.
      images_at_once: The number of images that are read into memory at a time.

    Returns:
      kernel [C, count] and bias [count], both float32.
    """
    copies_per_image, channels = 1 + variants, features.shape[-1]
    number = len(features) // copies_per_image
    chosen = np.unique(np.linspace(0, number - 1, min(number, MAX_IMAGES)).astype(np.int64))
    chosen = np.array([i for i in chosen if i * copies_per_image not in features.broken])
    within, between = np.zeros((channels, channels)), np.zeros((channels, channels))
    total, num_positions = np.zeros(channels), 0
    for start in range(0, len(chosen), images_at_once):
        rows = chosen[start : start + images_at_once, None] * copies_per_image + np.arange(
            copies_per_image
        )
        group = features.features[rows].astype(np.float32)  # [images, 1 + variants, S, C]
        means = group.mean(axis=1)
        deviations = (group - means[:, None]).reshape(-1, channels)
        means = means.reshape(-1, channels)
        within += deviations.T @ deviations / copies_per_image
        between += means.T @ means
        total += means.sum(axis=0, dtype=np.float64)
        num_positions += len(means)
    mean = total / num_positions
    within /= num_positions
    between = between / num_positions - np.outer(mean, mean)
    within += _SHRINKAGE * np.trace(within) / channels * np.eye(channels)
    variances, directions = np.linalg.eigh(within)
    whitening = directions / np.sqrt(variances)
    _, best_last = np.linalg.eigh(whitening.T @ between @ whitening)
    kernel = whitening @ best_last[:, ::-1][:, :count]
    return kernel.astype(np.float32), (-mean @ kernel).astype(np.float32)
