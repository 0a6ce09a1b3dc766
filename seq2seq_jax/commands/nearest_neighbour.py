"""Scores the baseline that any captioning model must beat: the caption of the nearest picture."""

import argparse

from seq2seq_jax.config.overrides import Overrides

HELP = "score the captions of the nearest training pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train", metavar="FILE", required=True, help="captions to choose from")
    parser.add_argument("--test", metavar="FILE", required=True, help="captions to be found")
    parser.add_argument("--image-dir", metavar="DIR", required=True, help="where the pictures are")
    parser.add_argument(
        "--size", type=int, default=64, metavar="PIXELS", help="their height and width; default: 64"
    )
    parser.add_argument(
        "--on-error",
        choices=("fail", "skip"),
        default="fail",
        help="what to do about pictures that cannot be used",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.data.pictures.caption_corpus import check_images
    from seq2seq_jax.data.pictures.decoded_images import DecodedImages
    from seq2seq_jax.data.pictures.image_captions import ImageCaptioningInputPipeline
    from seq2seq_jax.errors import UserError
    from seq2seq_jax.reports.nearest_neighbour import caption_scores, nearest_neighbour_captions

    if arguments.size < 1:
        raise UserError("--size", f"must be 1 or more, not {arguments.size}")
    train, test = (
        check_images(
            ImageCaptioningInputPipeline(captions=captions, image_dir=arguments.image_dir, key=key),
            on_error=arguments.on_error,
            unpack=True,
            key=key,
        ).examples
        for key, captions in (("--train", arguments.train), ("--test", arguments.test))
    )
    size = arguments.size, arguments.size
    captions = nearest_neighbour_captions(
        DecodedImages(test, *size), DecodedImages(train, *size), train
    )
    for name, value in caption_scores(captions, test).items():
        print(f"{name:18} {value:.2f}" if isinstance(value, float) else f"{name:18} {value}")
