"""Captioned images in record files: each record holds an encoded image and one caption.

A record is a `tf.train.SequenceExample` as google/seq2seq reads it and as im2txt's script writes
COCO: the image in the context, the ids and tokens of the caption in the feature lists. A plain
`tf.train.Example` with the same features is read too.
"""

import os
from collections.abc import Iterator
from functools import partial

from seq2seq_jax.captioning.data.captioned_image import CaptionedImage
from seq2seq_jax.data.readers.records import check_random_access, read_record_at, read_records
from seq2seq_jax.data.readers.tf_example import (
    Feature,
    feature_texts,
    feature_values,
    parse_sequence_example,
)
from seq2seq_jax.utils.errors import UserError

FORMATS = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff")


def read_captioned_images(
    path: str | os.PathLike[str],
    image_field: str,
    caption_ids_field: str,
    caption_tokens_field: str,
) -> Iterator[CaptionedImage]:
    """Yield the records of a file as captioned images, whose bytes are read again when needed.

    Args:
      path: The file; it must not be compressed.
      image_field: The feature with the encoded image.
      caption_ids_field: The feature with the ids of the caption; it may be missing.
      caption_tokens_field: The feature with the tokens of the caption, which are joined by spaces.
        The start and end tokens of google/seq2seq and im2txt are removed.

    Raises:
      UserError: The file cannot be read; or (FILE record N) it is damaged, or a feature is missing
        or has the wrong type.
    """
    check_random_access(path)
    for record in read_records(path):
        where = record.where
        features = _all_features(record.data, where)
        if "image/format" in features:
            for name in feature_texts(features, "image/format", where):
                check_image_format(name, where)
        if caption_ids_field in features:
            feature_values(features, caption_ids_field, int, where)
        _image(features, image_field, where)
        tokens = _strip_marks(feature_texts(features, caption_tokens_field, where))
        read = partial(_image_at, record.file, record.position, record.number, image_field)
        yield CaptionedImage(where, read, [" ".join(tokens)])


def check_image_format(name: str, where: str) -> None:
    """Check that images of a format can be read. Their bytes, not the name, decide how.

    Args:
      name: The name of the format.
      where: The place of the name, for errors: a dotted key, or `FILE record N`.

    Raises:
      UserError: They cannot.
    """
    if name.lower() not in FORMATS:
        why = "; raw pixels do not tell their layout" if name.lower() == "raw" else ""
        raise UserError(where, f"unknown image format {name!r}; valid: {', '.join(FORMATS)}{why}")


# The first and last token in the records of google/seq2seq and im2txt.
_BEGIN = ("SEQUENCE_START", "<S>")
_END = ("SEQUENCE_END", "</S>")


def _all_features(data: bytes, where: str) -> dict[str, Feature]:
    context, feature_lists = parse_sequence_example(data, where)
    merged: dict[str, Feature] = dict(context)
    for name, steps in feature_lists.items():
        merged[name] = [value for step in steps for value in step]  # type: ignore[assignment]
    return merged


def _image(features: dict[str, Feature], field: str, where: str) -> bytes:
    images = feature_values(features, field, bytes, where)
    if len(images) != 1:
        raise UserError(where, f"feature {field!r} must hold one image; it holds {len(images)}")
    return images[0]


def _image_at(path: str, position: int, number: int, field: str) -> bytes:
    where = f"{path} record {number}"
    return _image(_all_features(read_record_at(path, position, number), where), field, where)


def _strip_marks(tokens: list[str]) -> list[str]:
    begin = tokens[:1] and tokens[0] in _BEGIN
    end = tokens[-1:] and tokens[-1] in _END
    return tokens[1 if begin else 0 : -1 if end else None]
