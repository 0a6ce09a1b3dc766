"""Describe images with a trained model: images in, captions out."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from seq2seq_jax.captioning.caption_page import Caption, plot_caption, write_caption_page
from seq2seq_jax.captioning.data.caption_files import read_captions
from seq2seq_jax.captioning.data.captioned_image import CaptionedImage, picture_file
from seq2seq_jax.captioning.data.images import image_files
from seq2seq_jax.captioning.predictor import PicturePredictor
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.inference.json_lines import prediction_line
from seq2seq_jax.inference.lines import BATCHES_PER_CHUNK, chunked, line_chunks
from seq2seq_jax.inference.predictions import Prediction
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.utils.errors import UserError


def describe_images(arguments: argparse.Namespace, overrides: Overrides, workdir: Workdir) -> None:
    """Writes a caption for each picture: behind its path and a tab, or, where paths are lines of
    the input, alone in its line.

    Raises:
      UserError: a picture cannot be used, or an argument has no meaning for pictures.
    """
    if arguments.images and arguments.input:
        raise UserError("--input", "has paths of pictures, but some are given already")
    predictor = PicturePredictor.from_workdir(str(workdir.path), overrides)
    limit = BATCHES_PER_CHUNK * predictor.config.inference.batch_size
    if arguments.images:
        files = [file for path in arguments.images for file in image_files(path)]
        chunks: Iterator[list[str]] = chunked(files, limit)
    else:
        chunks = line_chunks(arguments.input, limit)
    gallery = _Gallery(arguments, predictor)

    for paths in chunks:
        if "" in paths:
            raise UserError(arguments.input or "<stdin>", "has an empty line, which is no path")
        pictures = [picture_file(path) for path in paths]
        predictions = predictor.predict(pictures, attention=gallery.wanted or arguments.attention)
        gallery.add(pictures, predictions)
        for one in predictions:
            if arguments.json:
                print(prediction_line(one, attention=arguments.attention))
            else:
                print(f"{one.source}\t{one.text}" if arguments.images else one.text)
        sys.stdout.flush()
    gallery.write()


class _Gallery:
    """What `--page` and `--plots` show."""

    def __init__(self, arguments: argparse.Namespace, predictor: PicturePredictor):
        self.wanted = bool(arguments.page or arguments.plots)
        self._page, self._plots, self._predictor = arguments.page, arguments.plots, predictor
        self._captions: list[Any] = []
        self._references: dict[str, list[str]] = {}
        if arguments.references:
            folder = os.path.dirname(arguments.references)
            for file, captions in read_captions(arguments.references):
                self._references[os.path.realpath(os.path.join(folder, file))] = captions

    def add(self, pictures: Sequence[CaptionedImage], predictions: Sequence[Prediction]) -> None:
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
        if self._page:
            write_caption_page(self._captions, self._page)
