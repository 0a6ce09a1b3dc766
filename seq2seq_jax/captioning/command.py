"""Uses a trained model of pictures: pictures in, captions out."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

if TYPE_CHECKING:
    from seq2seq_jax.captioning.data.captioned_image import CaptionedImage
    from seq2seq_jax.captioning.predictor import PicturePredictor
    from seq2seq_jax.inference.prediction import Prediction


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pictures = parser.add_argument_group("image captioning")
    pictures.add_argument(
        "pictures",
        nargs="*",
        metavar="PICTURE",
        help="An image, or a directory of images. Without any, each line of the input is a path.",
    )
    pictures.add_argument(
        "--page",
        metavar="FILE",
        help="Write a page of the images, their captions, and the attention of each token.",
    )
    pictures.add_argument(
        "--plots",
        metavar="DIR",
        help="Write the same as one PNG for each image into this directory.",
    )
    pictures.add_argument(
        "--references",
        metavar="FILE",
        help="Reference captions to show on the page and in the plots. File names in it are"
        " relative to its directory.",
    )


def run(arguments: argparse.Namespace, overrides: Overrides, workdir: str) -> None:
    """Writes a caption for each picture: behind its path and a tab, or, where paths are lines of
    the input, alone in its line.

    Raises:
      UserError: a picture cannot be used, or an argument has no meaning for pictures.
    """
    from seq2seq_jax.captioning.data.captioned_image import picture_file
    from seq2seq_jax.captioning.data.images import image_files
    from seq2seq_jax.captioning.predictor import PicturePredictor
    from seq2seq_jax.inference.json_lines import prediction_line
    from seq2seq_jax.inference.line_reader import answer_lines, in_windows, input_windows

    if arguments.tasks:
        raise UserError("--tasks", "is for models of text; --page and --plots would do")
    if arguments.pictures and arguments.input:
        raise UserError("--input", "has paths of pictures, but some are given already")
    predictor = PicturePredictor.from_workdir(workdir, overrides)
    window = 16 * predictor.config.inference.batch_size
    if arguments.pictures:
        files = [file for path in arguments.pictures for file in image_files(path)]
        windows: Iterator[list[str]] = in_windows(files, window)
    else:
        windows = input_windows(arguments.input, window)
    gallery = _Gallery(arguments, predictor)

    def answer(paths: Sequence[str]) -> list[str]:
        if "" in paths:
            raise UserError(arguments.input or "<stdin>", "has an empty line, which is no path")
        pictures = [picture_file(path) for path in paths]
        predictions = predictor.predict(pictures, attention=gallery.wanted or arguments.attention)
        gallery.add(pictures, predictions)
        if arguments.json:
            return [prediction_line(one, attention=arguments.attention) for one in predictions]
        named = bool(arguments.pictures)
        return [f"{one.source}\t{one.text}" if named else one.text for one in predictions]

    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    answer_lines(answer, windows, sys.stdout)
    gallery.write()


def refuse_arguments(arguments: argparse.Namespace) -> None:
    """Raises UserError if a model of text was given arguments that are for pictures."""
    for name in ("pictures", "page", "plots", "references"):
        if getattr(arguments, name):
            flag = "PICTURE" if name == "pictures" else f"--{name}"
            raise UserError(flag, "is for models of pictures, and this one is of text")


class _Gallery:
    """What `--page` and `--plots` show."""

    def __init__(self, arguments: argparse.Namespace, predictor: "PicturePredictor"):
        from seq2seq_jax.captioning.data.caption_files import read_captions

        self.wanted = bool(arguments.page or arguments.plots)
        self._page, self._plots, self._predictor = arguments.page, arguments.plots, predictor
        self._captions: list[Any] = []
        self._references: dict[str, list[str]] = {}
        if arguments.references:
            folder = os.path.dirname(arguments.references)
            for file, captions in read_captions(arguments.references):
                self._references[os.path.realpath(os.path.join(folder, file))] = captions

    def add(
        self, pictures: Sequence["CaptionedImage"], predictions: Sequence["Prediction"]
    ) -> None:
        from seq2seq_jax.captioning.caption_page import Caption, plot_caption

        if not self.wanted:
            return
        images = self._predictor.decoded(pictures)
        for index, prediction in enumerate(predictions):
            image = images.get(index)
            if image is None or prediction.attention is None:
                continue
            weights = prediction.attention[: prediction.length]
            caption = Caption(
                image,
                prediction.tokens,
                self._predictor.attention_map(weights),
                self._references.get(os.path.realpath(prediction.source), ()),
                os.path.basename(prediction.source),
            )
            self._captions.append(caption)
            if self._plots:
                name = f"{len(self._captions):04d}_{os.path.splitext(caption.name)[0]}.png"
                plot_caption(caption, os.path.join(self._plots, name))

    def write(self) -> None:
        from seq2seq_jax.captioning.caption_page import write_caption_page

        if self._page:
            write_caption_page(self._captions, self._page)
