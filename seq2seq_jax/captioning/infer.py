"""Describe images with a trained model: images in, captions out."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence

from seq2seq_jax.captioning.caption_page import Caption, plot_caption, write_caption_page
from seq2seq_jax.captioning.data.caption_files import read_captions
from seq2seq_jax.captioning.data.captioned_image import CaptionedImage, captioned_file
from seq2seq_jax.captioning.data.images import image_files
from seq2seq_jax.captioning.predictor import ImagePredictor
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.inference.json_lines import prediction_line
from seq2seq_jax.inference.lines import BATCHES_PER_CHUNK, chunked, line_chunks
from seq2seq_jax.inference.predictions import Prediction
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.utils.errors import UserError


def describe_images(arguments: argparse.Namespace, overrides: Overrides, workdir: Workdir) -> None:
    """Write a caption for each image.

    A line has the path of the image, a tab and the caption, or the caption alone if the paths are
    lines of the input.

    Args:
      arguments: The command line of `infer`.
      overrides: Pairs of a dotted key and a text.
      workdir: The workdir of the model.

    Raises:
      UserError: An image cannot be used, or arguments contradict each other.
    """
    predictor = ImagePredictor.from_workdir(str(workdir.path), overrides, workdir.trust)
    limit = BATCHES_PER_CHUNK * predictor.config.inference.batch_size
    if arguments.sources:
        files = [file for path in arguments.sources for file in image_files(path)]
        chunks: Iterator[list[str]] = chunked(files, limit)
    else:
        chunks = line_chunks(arguments.input, limit, "the path of an image")
    gallery = _Gallery(arguments, predictor)

    for paths in chunks:
        if "" in paths:
            raise UserError(
                arguments.input or "<stdin>",
                "has an empty line; each line must be the path of an image",
            )
        images = [captioned_file(path) for path in paths]
        predictions = predictor.predict(images, attention=gallery.wanted or arguments.attention)
        gallery.add(images, predictions)
        for one in predictions:
            if arguments.json:
                print(prediction_line(one, attention=arguments.attention))
            else:
                with_source = arguments.sources or arguments.tsv
                print(f"{one.source}\t{one.text}" if with_source else one.text)
        sys.stdout.flush()
    gallery.write()


class _Gallery:
    """The output of `--page` and `--plots`."""

    def __init__(self, arguments: argparse.Namespace, predictor: ImagePredictor) -> None:
        self.wanted = bool(arguments.page or arguments.plots)
        self._page, self._plots, self._predictor = arguments.page, arguments.plots, predictor
        self._captions: list[Caption] = []
        self._references: dict[str, list[str]] = {}
        if arguments.references:
            directory = os.path.dirname(arguments.references)
            for file, captions in read_captions(arguments.references):
                self._references[os.path.realpath(os.path.join(directory, file))] = captions

    def add(self, images: Sequence[CaptionedImage], predictions: Sequence[Prediction]) -> None:
        if not self.wanted:
            return
        decoded = self._predictor.decode(images)
        for index, prediction in enumerate(predictions):
            image = decoded.get(index)
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
