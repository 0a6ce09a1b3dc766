"""The baseline of captioning: the caption of the most similar training image.

    python -m experiments.emoji.nearest_neighbour
    python -m experiments.emoji.nearest_neighbour --block=mixed3

The first command compares pixels by Euclidean distance, the second the features of a block of the
network by cosine.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from experiments.emoji.nsfwjs import SCALING, weights_file
from experiments.script import run_script
from seq2seq_jax.captioning.data.caption_corpus import check_images
from seq2seq_jax.captioning.data.captioned_image import CaptionedImage
from seq2seq_jax.captioning.data.decoded_images import DecodedImages
from seq2seq_jax.captioning.data.image_batches import Images
from seq2seq_jax.captioning.data.image_captions import ImageCaptioningInputPipeline
from seq2seq_jax.evaluation.metrics import (
    AccuracyMetricSpec,
    BleuMetricSpec,
    ChrfMetricSpec,
    Results,
    text_metrics,
)
from seq2seq_jax.utils.cache_dir import cache_dir
from seq2seq_jax.utils.errors import UserError

CAPTION_METRICS = (
    AccuracyMetricSpec(),
    *(BleuMetricSpec(max_ngram_order=order) for order in (1, 2, 3, 4)),
    ChrfMetricSpec(),
)


def nearest(queries: np.ndarray, gallery: np.ndarray, *, chunk_size: int = 512) -> np.ndarray:
    """Find the nearest gallery row of each query, by Euclidean distance.

    Args:
      queries: [Q, D].
      gallery: [G, D].
      chunk_size: The number of queries that are compared at once.

    Returns:
      [Q] row indices; of rows at the same distance, the first.
    """
    gallery = gallery.astype(np.float32)
    squares = np.einsum("gd,gd->g", gallery, gallery)
    indices = []
    for start in range(0, len(queries), chunk_size):
        chunk = queries[start : start + chunk_size].astype(np.float32)
        indices.append(np.argmin(squares - 2 * (chunk @ gallery.T), axis=1))
    return np.concatenate(indices)


def nearest_neighbour_captions(
    queries: Images,
    gallery: Images,
    gallery_examples: Sequence[CaptionedImage],
    *,
    cosine: bool = False,
) -> list[str]:
    """Return the first caption of the most similar gallery image, for each query.

    Args:
      queries: The images to caption.
      gallery: The images to choose from.
      gallery_examples: The captions of the gallery.
      cosine: Compare by cosine, as is usual for features, instead of by Euclidean distance.
    """
    indices = nearest(_vectors(queries, cosine), _vectors(gallery, cosine))
    return [gallery_examples[index].captions[0] for index in indices]


def caption_scores(captions: Sequence[str], examples: Sequence[CaptionedImage]) -> Results:
    """Compute accuracy, BLEU-1 to BLEU-4 and chrF of captions, on tokens separated by spaces.

    Args:
      captions: One caption for each example.
      examples: The images with their reference captions.
    """
    references = [[caption.split() for caption in example.captions] for example in examples]
    return text_metrics(CAPTION_METRICS, [caption.split() for caption in captions], references)


def run(arguments: argparse.Namespace) -> None:
    """Score the baseline, and print the metrics."""
    smallest = 75 if arguments.block else 1
    if arguments.size is None:
        arguments.size = 107 if arguments.block else 64
    if arguments.size < smallest:
        raise UserError("--size", f"must be at least {smallest}; got {arguments.size}")
    train, test = (
        check_images(
            ImageCaptioningInputPipeline(captions=captions, image_dir=arguments.images, key=key),
            on_error="fail",
            decode=True,
            key=key,
        )
        for key, captions in (("--train", arguments.train), ("--test", arguments.test))
    )
    queries, gallery = (
        _features(DecodedImages(one.examples, arguments.size, arguments.size), one.images_digest,
                  arguments)
        for one in (test, train)
    )  # fmt: skip
    captions = nearest_neighbour_captions(
        queries, gallery, train.examples, cosine=bool(arguments.block)
    )
    for name, value in caption_scores(captions, test.examples).items():
        print(f"{name:18} {value:.2f}" if isinstance(value, float) else f"{name:18} {value}")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the script's arguments."""
    emoji = cache_dir("emoji")
    weights = weights_file(cache_dir("weights"))
    parser = argparse.ArgumentParser(
        prog="python -m experiments.emoji.nearest_neighbour",
        description="Score the caption of the most similar training image.",
    )
    add = parser.add_argument
    add("--train", metavar="FILE", default=str(emoji / "train.tsv"), help="The gallery's captions.")
    add("--test", metavar="FILE", default=str(emoji / "test.tsv"), help="The reference captions.")
    add("--images", metavar="DIR", default=str(emoji), help="The directory of the images.")
    add("--block", help="Compare the features of this block of InceptionV3 instead of pixels.")
    add("--weights", metavar="FILE", default=str(weights), help="The weights of InceptionV3.")
    add("--scaling", default=SCALING, help="The input scaling that the weights expect.")
    add("--size", type=int, metavar="PIXELS", help="Height and width; 64, or 107 with --block.")
    return parser


def _features(pixels: DecodedImages, digest: str, arguments: argparse.Namespace) -> Images:
    """Return the images as they are compared: pixels, or features of a block."""
    if not arguments.block:
        return pixels
    from seq2seq_jax.captioning.feature_extraction import extract_features
    from seq2seq_jax.captioning.models.inception_blocks import BLOCKS
    from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
    from seq2seq_jax.captioning.weights.inception_weights import (
        inception_variables,
        read_inception_weights,
    )

    if arguments.block not in BLOCKS:
        blocks = ", ".join(BLOCKS)
        raise UserError("--block", f"must be one of {blocks}; got {arguments.block}")
    weights = read_inception_weights(arguments.weights, scaling=arguments.scaling)
    encoder = InceptionV3Encoder(
        arguments.size, arguments.size, block=arguments.block, **weights.settings
    )
    variables = inception_variables(encoder, weights)
    return extract_features(encoder, variables, pixels, images_digest=digest)


def _vectors(images: Images, unit_length: bool) -> np.ndarray:
    """Return [M, D] float32 vectors of M images, of length 1 if asked for."""
    vectors = np.zeros((len(images), int(np.prod(images.shape))), np.float32)
    for index in range(len(images)):
        image = images.get(index)
        if image is not None:
            vectors[index] = np.asarray(image, np.float32).ravel()
    if unit_length:
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors


if __name__ == "__main__":
    run_script(make_parser(), run)
