"""Pairs of texts in record files: two features of each `tf.train.Example`."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Annotated

from seq2seq_jax.data.readers.input_pipeline import Example, TextExample, TextPair, split_file_names
from seq2seq_jax.data.readers.records import Record, read_records
from seq2seq_jax.data.readers.text_lines import check_readable, file_digest
from seq2seq_jax.data.readers.tf_example import feature_texts, parse_example
from seq2seq_jax.schema.rules import FILES, NON_EMPTY
from seq2seq_jax.utils.errors import UserError


class TFRecordInputPipeline:
    """Pairs of texts from two features of the records of TFRecord or array_record files.

    A feature is a text. google/seq2seq requires exactly one value per feature. Here several values
    are the tokens of one text and are joined by spaces, so that they must not contain spaces; no
    value is the empty text. A line feed becomes a space, because texts are lines. Both features
    must be present in every record. google/seq2seq treats a missing target as empty, and therefore
    trains on empty targets if `target_field` is misspelled.
    """

    modality = "text"

    def __init__(
        self,
        files: Annotated[str, FILES] = "",
        source_field: Annotated[str, NON_EMPTY] = "source",
        target_field: Annotated[str, NON_EMPTY] = "target",
        features_field: str = "",
        *,
        key: str,
    ) -> None:
        """Check the files and their first records.

        Args:
          files: TFRecord files, plain or gzip, or array_record files.
          source_field: Feature that holds the source text.
          target_field: Feature that holds the target text.
          features_field: Feature that holds the linguistic features, one text; empty: none.
          key: The dotted key of these parameters, for error messages.

        Raises:
          UserError: There are no files, one is missing, or the first record of one is invalid.
        """
        self._files = split_file_names(files)
        self._fields = tuple(filter(None, (source_field, target_field, features_field)))
        if not self._files:
            raise UserError(f"{key}.files", "no files; use TFRecord or array_record files")
        for file in self._files:
            check_readable(file)
            next(self._pairs(file), None)

    def __iter__(self) -> Iterator[Example]:
        """Yield the pairs.

        Raises:
          UserError: (FILE record N) A record is damaged, is not an Example, or lacks a text.
        """
        for file in self._files:
            yield from self._pairs(file)

    def content_digest(self) -> str:
        """Return hexadecimal digits that identify the bytes of the files and the features."""
        parts = (self._fields, *map(file_digest, self._files))
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _pairs(self, file: str) -> Iterator[Example]:
        return (read_pair(record, self._fields) for record in read_records(file))


def read_pair(record: Record, fields: Sequence[str]) -> Example:
    """Parse a record into a pair of texts, without line feeds.

    Args:
      record: An Example.
      fields: The features that hold the source, the target and, if there are any, the features.

    Returns:
      The pair.

    Raises:
      UserError: The record is not an Example, or lacks a text.
    """
    features = parse_example(record.data, record.where)
    values = [feature_texts(features, field, record.where) for field in fields]
    if len(values) == 3 and len(values[2]) > 1:
        raise UserError(
            record.where,
            f"feature {fields[2]!r} has {len(values[2])} values; use one, with features_delimiter"
            " between the features",
        )
    texts = [_text(*pair, record.where) for pair in zip(values, fields, strict=True)]
    return TextPair(*texts) if len(texts) == 2 else TextExample(*texts)


def _text(values: list[str], field: str, where: str) -> str:
    if len(values) > 1:
        for value in values:
            if not value or value != "".join(value.split()):
                raise UserError(
                    where,
                    f"feature {field!r} has {len(values)} values, so each must be one token; got "
                    f"{_shorten(value)}. Use one value per text",
                )
    return " ".join(values).replace("\r\n", " ").replace("\n", " ")


def _shorten(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:40] + "...")
