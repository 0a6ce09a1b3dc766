"""Scores the baseline that any captioning model must beat: the caption of the nearest picture."""

import argparse
from typing import TYPE_CHECKING

from seq2seq_jax.config.overrides import Overrides

if TYPE_CHECKING:
    from seq2seq_jax.captioning.data.decoded_images import DecodedImages
    from seq2seq_jax.captioning.data.feature_cache import CachedFeatures

HELP = "score the captions of the nearest training pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train", metavar="FILE", required=True, help="captions to choose from")
    parser.add_argument("--test", metavar="FILE", required=True, help="captions to be found")
    parser.add_argument("--image-dir", metavar="DIR", required=True, help="where the pictures are")
    parser.add_argument(
        "--size", type=int, default=64, metavar="PIXELS", help="their height and width; default: 64"
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="compare what an InceptionV3 with these weights makes of them, by cosine; default:"
        " their pixels, by Euclidean distance",
    )
    parser.add_argument(
        "--block", default="mixed3", help="the block of InceptionV3 that is read; default: mixed3"
    )
    parser.add_argument(
        "--on-error",
        choices=("fail", "skip"),
        default="fail",
        help="what to do about pictures that cannot be used",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from experiments.emoji.nearest_neighbour import caption_scores, nearest_neighbour_captions
    from seq2seq_jax.captioning.data.caption_corpus import CheckedImages, check_images
    from seq2seq_jax.captioning.data.decoded_images import DecodedImages
    from seq2seq_jax.captioning.data.image_batches import Images
    from seq2seq_jax.captioning.data.image_captions import ImageCaptioningInputPipeline
    from seq2seq_jax.config.defaults import INCEPTION_BLOCKS
    from seq2seq_jax.utils.errors import UserError

    least = 75 if arguments.weights else 1
    if arguments.size < least:
        raise UserError("--size", f"must be {least} or more, not {arguments.size}")
    if arguments.block not in INCEPTION_BLOCKS:
        blocks = ", ".join(INCEPTION_BLOCKS)
        raise UserError("--block", f"must be one of {blocks}; got {arguments.block}")
    train, test = (
        check_images(
            ImageCaptioningInputPipeline(captions=captions, image_dir=arguments.image_dir, key=key),
            on_error=arguments.on_error,
            unpack=True,
            key=key,
        )
        for key, captions in (("--train", arguments.train), ("--test", arguments.test))
    )

    def compared(checked: CheckedImages) -> Images:
        pixels = DecodedImages(checked.examples, arguments.size, arguments.size)
        if not arguments.weights:
            return pixels
        return _features(pixels, checked.images_digest, arguments)

    captions = nearest_neighbour_captions(
        compared(test), compared(train), train.examples, unit_length=bool(arguments.weights)
    )
    for name, value in caption_scores(captions, test.examples).items():
        print(f"{name:18} {value:.2f}" if isinstance(value, float) else f"{name:18} {value}")


def _features(
    pixels: "DecodedImages", digest: str, arguments: argparse.Namespace
) -> "CachedFeatures":
    from seq2seq_jax.captioning.feature_extraction import frozen_features
    from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
    from seq2seq_jax.captioning.weights.inception_weights import (
        inception_variables,
        read_inception_weights,
    )

    weights = read_inception_weights(arguments.weights)
    encoder = InceptionV3Encoder(
        arguments.size, arguments.size, block=arguments.block, **weights.settings
    )
    variables = inception_variables(encoder, weights)
    return frozen_features(encoder, variables, pixels, images_digest=digest)
