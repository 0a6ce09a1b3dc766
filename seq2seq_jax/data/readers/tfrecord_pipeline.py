"""Pairs of texts in record files: two features of each `tf.train.Example`."""

import hashlib
from collections.abc import Iterator
from typing import Annotated

from seq2seq_jax.data.readers.input_pipeline import TextPair, split_file_names
from seq2seq_jax.data.readers.records import read_records
from seq2seq_jax.data.readers.text_lines import check_readable, file_digest
from seq2seq_jax.data.readers.tf_example import parse_example, texts_of
from seq2seq_jax.schema.keys import FILES, NON_EMPTY
from seq2seq_jax.utils.errors import UserError


class TFRecordInputPipeline:
    """Pairs of two text features, record after record, of TFRecord or array_record files.

    A feature is a text. google/seq2seq took one value a feature and no other number; here several
    are the tokens of one text, joined by spaces, so that a token must not hold one, and none is
    the empty text. A line feed in a text becomes a space, as texts are lines. Both features must
    be in every record: google/seq2seq took a missing target for an empty one, and so trained on
    nothing where `target_field` was misspelt.
    """

    modality = "text"

    def __init__(
        self,
        files: Annotated[str, FILES, "TFRecord files, plain or gzip, or array_record files."] = "",
        source_field: Annotated[str, NON_EMPTY, "Feature that holds the source text."] = "source",
        target_field: Annotated[str, NON_EMPTY, "Feature that holds the target text."] = "target",
        *,
        key: str,
    ):
        """Check the files and their first records.

        Args:
          files: File names separated by commas: TFRecord files, plain or gzip, and array_record
            files.
          source_field: Feature that holds the source text.
          target_field: Feature that holds the target text.
          key: The dotted key of these parameters, for error messages.

        Raises:
          UserError: There are no files, one is missing, or the first record of one is invalid.
        """
        self._files = split_file_names(files)
        self._fields = source_field, target_field
        if not self._files:
            raise UserError(f"{key}.files", "no files; name TFRecord or array_record files")
        for file in self._files:
            check_readable(file)
            next(self._pairs(file), None)

    def __iter__(self) -> Iterator[TextPair]:
        """Raises UserError (FILE record N) at a record that is damaged, is no Example, or has not
        both texts."""
        for file in self._files:
            yield from self._pairs(file)

    def content_digest(self) -> str:
        """Of the bytes of the files, and of which features are read."""
        parts = (self._fields, *map(file_digest, self._files))
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _pairs(self, file: str) -> Iterator[TextPair]:
        for record in read_records(file):
            features = parse_example(record.data, record.where)
            source, target = (
                _text(texts_of(features, field, record.where), field, record.where)
                for field in self._fields
            )
            yield TextPair(source, target)


def _text(values: list[str], field: str, where: str) -> str:
    if len(values) > 1:
        for value in values:
            if not value or value != "".join(value.split()):
                raise UserError(
                    where,
                    f"feature {field!r} has {len(values)} values, which makes each a token, but "
                    f"{_shown(value)} is none; a text is one value",
                )
    return " ".join(values).replace("\r\n", " ").replace("\n", " ")


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:40] + "...")
