"""The baseline of captioning: say what is said of the training picture that is nearest."""

from collections.abc import Sequence

import numpy as np

from seq2seq_jax.captioning.data.captioned_image import CaptionedImage
from seq2seq_jax.captioning.data.image_batches import Images
from seq2seq_jax.evaluation.metrics import (
    AccuracyMetricSpec,
    BleuMetricSpec,
    ChrfMetricSpec,
    Results,
    text_metrics,
)

CAPTION_METRICS = (
    AccuracyMetricSpec(),
    *(BleuMetricSpec(max_ngram_order=order) for order in (1, 2, 3, 4)),
    ChrfMetricSpec(),
)


def nearest(queries: np.ndarray, gallery: np.ndarray, *, rows: int = 512) -> np.ndarray:
    """The row of the gallery that is nearest to each query, by Euclidean distance.

    Args:
      queries: [Q, D].
      gallery: [G, D].
      rows: queries that are compared at once.

    Returns:
      [Q] indices; of rows that are equally near the first.
    """
    gallery = gallery.astype(np.float32)
    squares = np.einsum("gd,gd->g", gallery, gallery)
    return np.concatenate(
        [
            np.argmin(
                squares - 2 * (queries[start : start + rows].astype(np.float32) @ gallery.T), 1
            )
            for start in range(0, len(queries), rows)
        ]
    )


def nearest_neighbour_captions(
    queries: Images,
    gallery: Images,
    gallery_examples: Sequence[CaptionedImage],
    *,
    unit_length: bool = False,
) -> list[str]:
    """The first caption of the nearest picture of the gallery, for each query.

    Args:
      unit_length: compare directions alone (cosine): usual for features, whose length says little.
    """
    indices = nearest(_vectors(queries, unit_length), _vectors(gallery, unit_length))
    return [gallery_examples[index].captions[0] for index in indices]


def caption_scores(captions: Sequence[str], examples: Sequence[CaptionedImage]) -> Results:
    """Exact captions, BLEU-1 to BLEU-4 and chrF, tokens separated by spaces."""
    references = [[caption.split() for caption in example.captions] for example in examples]
    return text_metrics(CAPTION_METRICS, [caption.split() for caption in captions], references)


def _vectors(images: Images, unit_length: bool) -> np.ndarray:
    """[M, D] float32."""
    vectors = np.zeros((len(images), int(np.prod(images.shape))), np.float32)
    for index in range(len(images)):
        image = images.get(index)
        if image is not None:
            vectors[index] = np.asarray(image, np.float32).ravel()
    if unit_length:
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors
