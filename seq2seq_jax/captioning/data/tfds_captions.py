"""Captioned images that tensorflow-datasets has prepared, such as `coco_captions`.

They are read without TensorFlow.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from seq2seq_jax.captioning.data.captioned_image import CaptionedImage
from seq2seq_jax.data.readers.records import check_random_access, read_record_at, read_records
from seq2seq_jax.data.readers.tf_example import feature_texts, feature_values, parse_example
from seq2seq_jax.data.readers.tfds_prepared import load_dataset_info, split_file_instructions
from seq2seq_jax.utils.errors import UserError

CAPTION_FEATURES = ("captions/text", "captions", "caption")
"""The features in which datasets keep captions; `coco_captions` has the first."""


class TFDSCaptions:
    """A function that yields the examples of one split in the order of their files."""

    def __init__(self, name: str, split: str, data_dir: str, key: str) -> None:
        """Find the files of the split.

        Args:
          name: The dataset, with its configuration and version if it has several.
          split: The split as tensorflow-datasets writes it: "train", "train[:1%]".
          data_dir: The directory of the datasets; empty: that of tensorflow-datasets.
          key: The dotted key of these parameters in the configuration, for errors.

        Raises:
          UserError: The dataset is not prepared there, or has no such split, no feature `image` or
            no captions.
        """
        info = load_dataset_info(name, data_dir, f"{key}.name")
        names = set(_names(info.features.get_tensor_info()))
        captions = [feature for feature in CAPTION_FEATURES if feature in names]
        if "image" not in names or not captions:
            raise UserError(
                f"{key}.name",
                f"{name} must have the feature image, and one of {', '.join(CAPTION_FEATURES)}; "
                f"it has {', '.join(sorted(names))}",
            )
        self._captions = captions[0]
        self._files = split_file_instructions(info, split or "train", f"{key}.split")
        for file in self._files:
            check_random_access(file.filename)

    def __call__(self) -> Iterator[CaptionedImage]:
        """Yield the examples; raise UserError (FILE record N) at a damaged record."""
        for file in self._files:
            for record in islice(read_records(file.filename), file.skip, file.skip + file.take):
                features = parse_example(record.data, record.where)
                texts = feature_texts(features, self._captions, record.where)
                yield CaptionedImage(
                    record.where,
                    partial(_image_at, record.file, record.position, record.number),
                    [" ".join(text.split()) for text in texts],
                )


def _image_at(path: str, position: int, number: int) -> bytes:
    where = f"{path} record {number}"
    features = parse_example(read_record_at(path, position, number), where)
    return b"".join(feature_values(features, "image", bytes, where))


def _names(features: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, feature in features.items():
        if isinstance(feature, Mapping):
            yield from _names(feature, f"{prefix}{name}/")
        else:
            yield prefix + name
