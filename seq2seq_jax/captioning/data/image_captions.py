"""The input pipeline of captioned images: TFRecord files, files of captions, or TFDS."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, ClassVar

from seq2seq_jax.captioning.data.caption_files import read_captions
from seq2seq_jax.captioning.data.caption_records import check_image_format, read_captioned_images
from seq2seq_jax.captioning.data.captioned_image import CaptionedImage, captioned_file
from seq2seq_jax.captioning.data.images import MAX_PIXELS
from seq2seq_jax.captioning.data.tfds_captions import TFDSCaptions
from seq2seq_jax.data.readers.input_pipeline import InputPipelineConfig, split_file_names
from seq2seq_jax.data.readers.records import check_random_access
from seq2seq_jax.data.readers.text_lines import check_readable
from seq2seq_jax.schema.rules import FILES, NON_EMPTY, at_least, one_of
from seq2seq_jax.utils.errors import UserError


class ImageCaptioningInputPipeline:
    """Yields captioned images; no pixel is decoded here.

    One of three parameters says where they come from:

      files      TFRecord files of SequenceExamples: an encoded image and one caption. An image with
                 several captions has several records and is yielded for each (`images_repeat`).
      captions   a file of captions (see `caption_files`) of the images in `image_dir`
      name       a dataset of tensorflow-datasets, such as `coco_captions`
    """

    common_parameters = InputPipelineConfig
    modality: ClassVar[str] = "image"

    def __init__(
        self,
        files: Annotated[str, FILES] = "",
        image_field: Annotated[str, NON_EMPTY] = "image/data",
        image_format: Annotated[str, NON_EMPTY] = "jpg",
        caption_ids_field: Annotated[str, NON_EMPTY] = "image/caption_ids",
        caption_tokens_field: Annotated[str, NON_EMPTY] = "image/caption",
        captions: str = "",
        image_dir: str = "",
        image_column: str = "",
        caption_column: str = "",
        name: str = "",
        split: str = "",
        data_dir: str = "",
        on_error: Annotated[str, one_of("fail", "skip")] = "fail",
        max_pixels: Annotated[int, at_least(1)] = MAX_PIXELS,
        *,
        key: str,
    ) -> None:
        """Check the files; the images are read later.

        Args:
          files: TFRecord or array_record files, not compressed.
          image_field: Feature with the encoded image.
          image_format: Format of the images; their bytes decide how they are read.
          caption_ids_field: Feature with the token ids; it is checked, and not used.
          caption_tokens_field: Feature with the tokens.
          captions: File of captions: TSV, CSV, or JSON of COCO or of Karpathy's splits.
          image_dir: Directory of the images that captions names.
          image_column: Column of a table with the image files; empty: the first.
          caption_column: Column of a table with the captions; empty: the second.
          name: Dataset of tensorflow-datasets, as in coco_captions.
          split: Split of the dataset or of Karpathy's JSON; empty: train, or all.
          data_dir: Directory of the datasets; empty: TFDS_DATA_DIR or ~/tensorflow_datasets.
          on_error: What happens if an image cannot be used: fail, or skip, which leaves it out.
          max_pixels: Larger images cannot be used.
          key: The dotted key of these parameters in the configuration, for errors.

        Raises:
          UserError: No source or several are given, or a file is missing. Iterating raises for what
            is wrong in a file.
        """
        sources = {"files": files, "captions": captions, "name": name}
        given = [source for source, value in sources.items() if value]
        if len(given) != 1:
            raise UserError(
                f"{key}.{given[1] if given else 'captions'}",
                f"{' and '.join(given) or 'nothing'} given; use one of files (TFRecord), captions"
                " with image_dir, or name (tensorflow-datasets)",
            )
        self.images_repeat = bool(files)
        self._examples: Callable[[], Iterator[CaptionedImage]]
        if files:
            check_image_format(image_format, f"{key}.image_format")
            names = split_file_names(files)
            for file in names:
                check_random_access(file)
            fields = image_field, caption_ids_field, caption_tokens_field
            self._examples = lambda: (
                example for file in names for example in read_captioned_images(file, *fields)
            )
        elif captions:
            captions, image_dir = os.path.expanduser(captions), os.path.expanduser(image_dir)
            check_readable(captions)
            if not os.path.isdir(image_dir or "."):
                raise UserError(f"{key}.image_dir", f"{image_dir} is not a directory")
            read = partial(read_captions, captions, split, image_column, caption_column)
            self._examples = lambda: (
                captioned_file(os.path.join(image_dir, file), texts, max_pixels=max_pixels)
                for file, texts in read()
            )
        else:
            self._examples = TFDSCaptions(name, split, os.path.expanduser(data_dir), key)

    def __iter__(self) -> Iterator[CaptionedImage]:
        return self._examples()
