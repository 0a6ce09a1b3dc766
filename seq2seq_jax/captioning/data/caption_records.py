"""Pictures with captions in record files: each record an encoded picture and one caption.

A record is a `tf.train.SequenceExample` as google/seq2seq reads it and as im2txt's script writes
COCO: the picture in the context, the caption's ids and tokens in the feature lists. All three are
also found on the other side, as they are in a plain `tf.train.Example`.
"""

import os
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from seq2seq_jax.captioning.data.captioned_image import CaptionedImage
from seq2seq_jax.data.readers.records import (
    Record,
    check_random_access,
    read_record_at,
    read_records,
)
from seq2seq_jax.data.readers.tf_example import (
    Feature,
    feature_texts,
    feature_values,
    parse_sequence_example,
)
from seq2seq_jax.utils.errors import UserError

FORMATS = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff")


class CaptionRecord(NamedTuple):
    """A picture and its caption.

    Attributes:
      where: `FILE record N`, for errors.
      image: an encoded picture, not looked at.
      caption_ids: in the vocabulary of whoever wrote the file; empty if there are none.
      caption_tokens: without the marks of begin and end that google/seq2seq and im2txt keep in
        them.
    """

    where: str
    image: bytes
    caption_ids: list[int]
    caption_tokens: list[str]


def read_caption_records(
    path: str | os.PathLike,
    image_field: str = "image/data",
    caption_ids_field: str = "image/caption_ids",
    caption_tokens_field: str = "image/caption",
) -> Iterator[CaptionRecord]:
    """Yields the records of a file, TFRecord or array_record, in order.

    Raises:
      UserError: the file cannot be read; or (FILE record N) it is damaged, a feature other than the
        ids is missing, or one is not what it should be.
    """
    for record in read_records(path):
        yield _parse(record, image_field, caption_ids_field, caption_tokens_field)


def read_captioned_images(
    path: str | os.PathLike,
    image_field: str = "image/data",
    caption_ids_field: str = "image/caption_ids",
    caption_tokens_field: str = "image/caption",
) -> Iterator[CaptionedImage]:
    """As `read_caption_records`, but without the pictures' bytes, which are read from the file
    again when they are asked for; their tokens are joined by spaces.

    The file must not be packed by gzip.
    """
    check_random_access(path)
    for record in read_records(path):
        parsed = _parse(record, image_field, caption_ids_field, caption_tokens_field)
        read = partial(_image_at, record.file, record.position, record.number, image_field)
        yield CaptionedImage(parsed.where, read, [" ".join(parsed.caption_tokens)])


def check_image_format(name: str, where: str) -> None:
    """Raises UserError unless encoded pictures of that format can be read.

    The name decides nothing else: what a picture is, is told by its bytes.

    Args:
      where: a dotted key, or `FILE record N`.
    """
    if name.lower() not in FORMATS:
        why = "; raw pixels do not say how they lie" if name.lower() == "raw" else ""
        raise UserError(where, f"image format {name!r}; there are {', '.join(FORMATS)}{why}")


# google/seq2seq's records, and im2txt's, have them as first and last token.
_BEGIN = ("SEQUENCE_START", "<S>")
_END = ("SEQUENCE_END", "</S>")


def _parse(
    record: Record, image_field: str, caption_ids_field: str, caption_tokens_field: str
) -> CaptionRecord:
    where = record.where
    features = _all_features(record.data, where)
    if "image/format" in features:
        for name in feature_texts(features, "image/format", where):
            check_image_format(name, where)
    ids = caption_ids_field in features
    return CaptionRecord(
        where,
        _image(features, image_field, where),
        feature_values(features, caption_ids_field, int, where) if ids else [],
        _words(feature_texts(features, caption_tokens_field, where)),
    )


def _all_features(data: bytes, where: str) -> dict[str, Feature]:
    context, feature_lists = parse_sequence_example(data, where)
    merged: dict[str, Feature] = dict(context)
    for name, steps in feature_lists.items():
        merged[name] = [value for step in steps for value in step]  # type: ignore[assignment]
    return merged


def _image(features: dict[str, Feature], field: str, where: str) -> bytes:
    images = feature_values(features, field, bytes, where)
    if len(images) != 1:
        raise UserError(where, f"feature {field!r} must hold one picture; it holds {len(images)}")
    return images[0]


def _image_at(path: str, position: int, number: int, field: str) -> bytes:
    where = f"{path} record {number}"
    return _image(_all_features(read_record_at(path, position, number), where), field, where)


def _words(tokens: list[str]) -> list[str]:
    begin = tokens[:1] and tokens[0] in _BEGIN
    end = tokens[-1:] and tokens[-1] in _END
    return tokens[1 if begin else 0 : -1 if end else None]
