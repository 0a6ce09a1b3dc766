"""TFRecord files for tests: their records, and the messages in them."""

import gzip
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq_jax.data.readers.tf_example import Example, SequenceExample
from seq2seq_jax.data.readers.tfrecord import masked_crc32c

Feature = Sequence[bytes] | Sequence[float] | Sequence[int]


def write_records(path: str | Path, records: Iterable[bytes]) -> None:
    """Write a TFRecord file, compressed if its name ends in .gz."""
    content = b"".join(map(_frame, records))
    Path(path).write_bytes(gzip.compress(content) if str(path).endswith(".gz") else content)


def serialize_example(features: Mapping[str, Feature]) -> bytes:
    """Serialize an Example as TensorFlow does."""
    example = Example()
    for name, values in features.items():
        _set_values(example.features.feature[name], values)
    return example.SerializeToString(deterministic=True)


def serialize_sequence_example(
    context: Mapping[str, Feature], feature_lists: Mapping[str, Iterable[Feature]]
) -> bytes:
    """Serialize a SequenceExample as TensorFlow does."""
    example = SequenceExample()
    for name, values in context.items():
        _set_values(example.context.feature[name], values)
    for name, steps in feature_lists.items():
        feature_list = example.feature_lists.feature_list[name]  # exists even without steps
        for values in steps:
            _set_values(feature_list.feature.add(), values)
    return example.SerializeToString(deterministic=True)


def _set_values(feature: Any, values: Feature) -> None:
    kinds = {bytes: "bytes_list", int: "int64_list", float: "float_list"}
    if len(values):
        getattr(feature, kinds[type(values[0])]).value.extend(values)


def _frame(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    checksums = (struct.pack("<I", masked_crc32c(part)) for part in (length, data))
    return b"".join((length, next(checksums), data, next(checksums)))
