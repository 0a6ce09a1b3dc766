"""Pictures with captions: TFRecord files, a folder with a file of captions, or TFDS."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, ClassVar

from seq2seq_jax.captioning.data.caption_files import read_captions
from seq2seq_jax.captioning.data.caption_records import check_image_format, read_captioned_images
from seq2seq_jax.captioning.data.captioned_image import CaptionedImage, picture_file
from seq2seq_jax.captioning.data.images import MAX_PIXELS
from seq2seq_jax.captioning.data.tfds_captions import TFDSCaptions
from seq2seq_jax.data.batches import prefetch
from seq2seq_jax.data.readers.input_pipeline import InputPipelineConfig, split_file_names
from seq2seq_jax.data.readers.records import check_random_access
from seq2seq_jax.data.readers.text_lines import check_readable
from seq2seq_jax.schema.rules import FILES, NON_EMPTY, at_least, one_of
from seq2seq_jax.utils.errors import UserError

ON_ERROR = ("fail", "skip")


class ImageCaptioningInputPipeline:
    """Yields pictures with their captions; no pixel is unpacked here.

    Pictures come from one of three places, whichever is named:

      files               TFRecord files of SequenceExamples: an encoded picture, one caption;
                          a picture with several captions has several records, and comes as
                          often (`pictures_repeat`)
      captions, image_dir a file of captions (see `caption_files`) and the folder of its pictures
      name                a data set of tensorflow-datasets, `coco_captions` say
    """

    common_parameters = InputPipelineConfig
    modality: ClassVar[str] = "image"

    def __init__(
        self,
        files: Annotated[str, FILES, "TFRecord files."] = "",
        image_field: Annotated[str, NON_EMPTY, "Feature that holds the image."] = "image/data",
        image_format: Annotated[str, NON_EMPTY, "Format of the images."] = "jpg",
        caption_ids_field: Annotated[
            str, NON_EMPTY, "Feature with the token ids."
        ] = "image/caption_ids",
        caption_tokens_field: Annotated[
            str, NON_EMPTY, "Feature with the tokens."
        ] = "image/caption",
        captions: Annotated[
            str,
            "File of captions: a table, or JSON of COCO or of Karpathy's splits; not for files.",
        ] = "",
        image_dir: Annotated[str, "Folder of the pictures that captions names."] = "",
        image_column: Annotated[str, "Column of a table with the pictures; empty: the first."] = "",
        caption_column: Annotated[
            str, "Column of a table with the captions; empty: the second."
        ] = "",
        name: Annotated[str, "Dataset of tensorflow-datasets, as in coco_captions."] = "",
        split: Annotated[str, "Of the dataset, or of Karpathy's JSON; empty: train, or all."] = "",
        data_dir: Annotated[
            str, "Where it was prepared; empty: TFDS_DATA_DIR or ~/tensorflow_datasets."
        ] = "",
        on_error: Annotated[
            str,
            one_of(*ON_ERROR),
            "A picture that cannot be used is an error, or is left out and counted.",
        ] = "fail",
        max_pixels: Annotated[int, at_least(1), "Larger pictures cannot be used."] = MAX_PIXELS,
        *,
        key: str,
    ):
        """
        Args:
          files: names separated by commas, of TFRecord or array_record files that gzip has not
            packed.
          image_field: where a record's context keeps the picture's bytes.
          image_format: "jpg", "png" or the like. It decides nothing, as pictures tell their format.
          caption_ids_field, caption_tokens_field: where a record's feature lists keep the caption;
            the tokens are read, the ids belong to the vocabulary of whoever wrote the file.
          image_dir, captions: the folder, and the file of captions.
          image_column, caption_column: of a table that names its columns.
          name, split, data_dir: of a data set of tensorflow-datasets that is prepared in data_dir;
            split also of a Karpathy file ("train+restval").
          on_error: what becomes of a picture that is missing, broken or too large: "fail", or
            "skip", which leaves it out and counts it.
          max_pixels: larger pictures are refused.
          key: where these parameters stand in the configuration, for error messages.

        Raises:
          UserError: no source or several, a file that is missing, or (at the iteration) what is
            wrong in it.
        """
        places = {"files": files, "captions": captions, "name": name}
        given = [place for place, value in places.items() if value]
        if len(given) != 1:
            raise UserError(
                f"{key}.{given[1] if given else 'captions'}",
                f"{' and '.join(given) or 'nothing'} given; name one of files (TFRecord), "
                "captions with image_dir, or name (tensorflow-datasets)",
            )
        if on_error not in ON_ERROR:
            raise UserError(f"{key}.on_error", f"{on_error!r} is neither fail nor skip")
        self.on_error, self.max_pixels, self.key = on_error, max_pixels, key
        self.pictures_repeat = bool(files)
        self._examples: Callable[[], Iterator[CaptionedImage]]
        if files:
            # Kept from google/seq2seq; what a picture is, is told by its bytes.
            check_image_format(image_format, f"{key}.image_format")
            names = split_file_names(files)
            for file in names:
                check_random_access(file)
            self._examples = partial(
                _record_examples, names, image_field, caption_ids_field, caption_tokens_field
            )
        elif captions:
            captions, image_dir = os.path.expanduser(captions), os.path.expanduser(image_dir)
            check_readable(captions)
            if not os.path.isdir(image_dir or "."):
                raise UserError(f"{key}.image_dir", f"{image_dir} is not a folder")
            self._examples = partial(
                _folder_examples,
                captions,
                image_dir,
                split,
                image_column,
                caption_column,
                max_pixels,
            )
        else:
            self._examples = TFDSCaptions(name, split, os.path.expanduser(data_dir), key)

    def __iter__(self) -> Iterator[CaptionedImage]:
        return self._examples()

    def content_digest(self) -> str:
        """Of the captions, and of the bytes of all pictures, which are read for it."""
        digest = hashlib.sha256()
        for part in prefetch(_digest, self, buffer_size=64):
            digest.update(part)
        return digest.hexdigest()


def _digest(example: CaptionedImage) -> bytes:
    try:
        data = example.read()
    except UserError as error:  # told when the picture is needed; on_error says what then
        data = str(error).encode()
    return hashlib.sha256(repr((example.captions, hashlib.sha256(data).digest())).encode()).digest()


def _record_examples(
    files: Sequence[str], image_field: str, caption_ids_field: str, caption_tokens_field: str
) -> Iterator[CaptionedImage]:
    for file in files:
        yield from read_captioned_images(file, image_field, caption_ids_field, caption_tokens_field)


def _folder_examples(
    captions: str,
    image_dir: str,
    split: str,
    image_column: str,
    caption_column: str,
    max_pixels: int,
) -> Iterator[CaptionedImage]:
    pictures = read_captions(
        captions, split=split, image_column=image_column, caption_column=caption_column
    )
    for picture in pictures:
        path = os.path.join(image_dir, picture.file)
        yield picture_file(path, picture.captions, max_pixels=max_pixels)
