"""Pairs of texts from a dataset of tensorflow-datasets, read without TensorFlow."""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Annotated, Any

import numpy as np

from seq2seq_jax.data.readers.input_pipeline import Example
from seq2seq_jax.data.readers.records import read_records
from seq2seq_jax.data.readers.text_lines import check_readable, file_digest
from seq2seq_jax.data.readers.tfds_prepared import load_dataset_info, split_file_instructions
from seq2seq_jax.data.readers.tfrecord_pipeline import read_pair
from seq2seq_jax.schema.rules import NON_EMPTY
from seq2seq_jax.utils.errors import UserError


class TFDSInputPipeline:
    """Pairs of texts from two features of one split, in the order in which they were prepared.

    Line feeds, as in summaries of several sentences, become spaces, because texts are lines.
    Nothing is downloaded.
    """

    modality = "text"

    def __init__(
        self,
        name: str = "",
        split: Annotated[str, NON_EMPTY] = "train",
        source_feature: str = "",
        target_feature: str = "",
        data_dir: str = "",
        features_feature: str = "",
        *,
        key: str,
    ) -> None:
        """Find the dataset, its split and its features.

        Args:
          name: Prepared dataset, for example wmt16_translate/de-en.
          split: Its split, or a part of one, as train[:1%].
          source_feature: Feature of the sources; empty: the declared input.
          target_feature: Feature of the targets; empty: the declared output.
          data_dir: Directory of prepared datasets; empty: TFDS_DATA_DIR or ~/tensorflow_datasets.
          features_feature: Feature of the linguistic features, one text; empty: none.
          key: The dotted key of these parameters, for error messages.

        Raises:
          UserError: The dataset is not prepared there, is damaged, is neither array_record nor
            TFRecord, or has no such split or features.
        """
        if not name:
            raise UserError(f"{key}.name", "no dataset; use a name such as wmt16_translate/de-en")
        info = load_dataset_info(name, data_dir, f"{key}.name")
        features = {"source_feature": source_feature, "target_feature": target_feature}
        if features_feature:
            features["features_feature"] = features_feature
        self._features = _find_features(info, features, key)
        self._files = split_file_instructions(info, split, f"{key}.split")
        for file in self._files:
            check_readable(file.filename)

    def __iter__(self) -> Iterator[Example]:
        """Yield the pairs.

        Raises:
          UserError: (FILE record N) A record is damaged or is not UTF-8.
        """
        for file in self._files:
            end = file.skip + file.take
            number = 0
            for record in islice(read_records(file.filename), file.skip, end):
                number = record.number
                yield read_pair(record, self._features)
            if number < end:
                what = f"ends before record {end}, which dataset_info.json announces"
                raise UserError(file.filename, f"{what}; prepare the dataset again")

    def content_digest(self) -> str:
        """Return hexadecimal digits that identify files, records and features of the split."""
        parts = [
            (file_digest(file.filename), file.skip, file.take, self._features)
            for file in self._files
        ]
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def _find_features(info: Any, features: Mapping[str, str], key: str) -> tuple[str, ...]:
    """Return the names in the examples of the features that hold texts."""
    texts = sorted(_text_features(info.features.get_tensor_info()))
    declared = info.supervised_keys or ()
    is_valid = len(declared) == 2 and all(name in texts for name in declared)
    defaults = (*declared, "") if is_valid else ("", "", "")
    valid = f"its text features are {', '.join(texts)}" if texts else "it has no text features"
    chosen = []
    for (parameter, name), default in zip(features.items(), defaults, strict=False):
        name = name or default
        if not name:
            what = f"is required: {info.name} declares no default; {valid}"
            raise UserError(f"{key}.{parameter}", what)
        if name not in texts:
            what = f"{info.name} has no text feature {name!r}; {valid}"
            raise UserError(f"{key}.{parameter}", what)
        chosen.append(name)
    return tuple(chosen)


def _text_features(features: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, feature in features.items():
        if isinstance(feature, Mapping):
            yield from _text_features(feature, f"{prefix}{name}/")
        elif feature.shape == () and feature.np_dtype in (np.str_, np.object_):
            yield prefix + name
