"""Tables of text: TSV or CSV files with a source and a target in each row."""

import csv
import hashlib
import re
import reprlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from seq2seq_jax.data.languages import check_language, split_tag, tag_source
from seq2seq_jax.data.readers.input_pipeline import Example, TextExample, TextPair
from seq2seq_jax.data.readers.language_files import language_files
from seq2seq_jax.data.readers.text_lines import (
    MAX_LINE_BYTES,
    check_readable,
    file_digest,
    read_lines,
)
from seq2seq_jax.schema.rules import COLUMN, FILES, FRACTION, OTHER_COLUMN, one_of
from seq2seq_jax.utils.errors import UserError

FORMATS = ("tsv", "csv")
PARTS = ("all", "train", "dev")


class TSVInputPipeline:
    """Pairs of texts from two columns; a source with several targets has several rows.

    TSV has no quotes: tabs separate columns, line feeds separate rows, and every other character is
    text. CSV is read as spreadsheets write it: fields with commas are in quotes, and quotes inside
    are doubled. A line feed inside quotes becomes a space, because texts are lines. Columns are
    separated by commas or, if the first line has semicolons but no commas, by semicolons. Blank
    lines are ignored.
    """

    modality = "text"

    def __init__(
        self,
        files: Annotated[str, FILES] = "",
        source_column: Annotated[str, COLUMN] = "source",
        target_column: Annotated[str, COLUMN] = "target",
        format: Annotated[str, one_of("", *FORMATS)] = "",
        header: bool = True,
        part: Annotated[str, one_of(*PARTS)] = "all",
        dev_fraction: Annotated[float, FRACTION] = 0.1,
        features_column: Annotated[str, OTHER_COLUMN] = "",
        language_column: Annotated[str, OTHER_COLUMN] = "",
        languages: str = "",
        *,
        key: str,
    ) -> None:
        """Check the files and find the columns.

        Args:
          files: Tables: .tsv or .csv files, plain or .gz.
          source_column: Column of the sources, name or number; the default is 1 without a header.
          target_column: Column of the targets, name or number; the default is 2 without a header.
          format: Format; empty: from the file names.
          header: The first row names the columns; false: use numbers.
          part: Rows to read; train and dev are the two parts of a file that is split.
          dev_fraction: Fraction of the sources in the part dev; a hash of the source decides.
          features_column: Column of the features of each pair, name or number; empty: none.
          language_column: Column of the language of each pair, name or number; empty: none.
          languages: Languages of the files, or those that {language} in a file name stands for;
            empty: {language} stands for all that exist.
          key: The dotted key of these parameters, for error messages.

        Raises:
          UserError: A file is missing or empty, has no such columns, or its name does not say its
            format.
        """
        columns = {"source_column": source_column, "target_column": target_column}
        others = {"features_column": features_column, "language_column": language_column}
        others = {name: column for name, column in others.items() if column}
        self._settings = (format, header, *columns.values(), part, dev_fraction, *others.items())
        columns |= others
        fields = [name for name in columns if name != "language_column"]
        self._fields = [name.removesuffix("_column") for name in fields]
        self._part, self._dev_fraction = part, dev_fraction
        named_files = language_files(files, languages, key, "files")
        _check_named([name for name, _ in named_files], key)
        self._tables = []
        for name, language in named_files:
            check_readable(name)
            file_format = format or _format_by_name(name, key)
            if header:
                row = _header(name, file_format)
                indices = _by_name(columns, row, name, key)
            else:
                indices = _by_number(columns, key)
            for i, (parameter, column) in enumerate(others.items(), start=2):
                if indices[i] in indices[:i]:
                    what = f"{column!r} is the column of the sources or targets of {name}"
                    raise UserError(f"{key}.{parameter}", f"{what}; use another column")
            of_language = indices.pop() if language_column else None
            width = len(row) if header else None
            self._tables.append(_Table(name, file_format, indices, width, language, of_language))

    @staticmethod
    def check_parameters(params: Mapping[str, Any], key: str) -> None:
        """Check that there are files, without reading them.

        Args:
          params: The parameters of the constructor and the common ones.
          key: The dotted key of these parameters, for error messages.

        Raises:
          UserError: There are none, or their languages are given in two ways.
        """
        files = language_files(params["files"], params["languages"], key, "files")
        _check_named([name for name, _ in files], key)
        if params["language_column"] and any(language for _, language in files):
            what = f"is {params['language_column']}, but the files have languages as well"
            raise UserError(f"{key}.language_column", f"{what}; use one of the two")

    def __iter__(self) -> Iterator[Example]:
        """Return an iterator over the pairs, which have features if there is a column of them.

        Raises:
          UserError: A row has too few columns or more than the header, or is not CSV or not UTF-8.
        """
        return (pair for table in self._tables for pair in self._pairs(table))

    def pairs_of_files(self) -> Iterator[tuple[tuple[str, str], Iterator[Example]]]:
        """Yield the names of the files with sources and targets, which are equal, and the pairs."""
        for table in self._tables:
            yield (table.name, table.name), self._pairs(table)

    def content_digest(self) -> str:
        """Return hexadecimal digits that identify the bytes of the files and the columns."""
        parts: tuple[object, ...]
        parts = (self._settings, *((t.file_format, file_digest(t.name)) for t in self._tables))
        parts += tuple(table.language for table in self._tables if table.language)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _pairs(self, table: "_Table") -> Iterator[Example]:
        pairs = map(self._example, _rows(table))
        if self._part == "all":
            return pairs
        return (
            pair
            for pair in pairs
            if is_held_out(split_tag(pair.source)[1], self._dev_fraction) == (self._part == "dev")
        )

    def _example(self, row: Sequence[str]) -> Example:
        if len(self._fields) == 2:
            return TextPair(*row)
        return TextExample(**dict(zip(self._fields, row, strict=True)))


def is_held_out(source: str, fraction: float) -> bool:
    """Return whether pairs with this source belong to the dev part of a file.

    Sources that differ only in case, white space or Unicode normal form are in the same part.

    Args:
      source: The text of the source.
      fraction: The expected fraction of the sources in the dev part.

    Example:
      >>> [word for word in ("one", "two", "three", "four") if is_held_out(word, 0.3)]
      ['two', 'four']
    """
    text = " ".join(unicodedata.normalize("NFC", source).casefold().split())
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64


def _check_named(names: Sequence[str], key: str) -> None:
    if not names:
        what = "is empty; use a .tsv or .csv file"
        if key.startswith("input_pipeline_dev"):
            what += ", --dev-fraction, or --no-dev"
        raise UserError(f"{key}.files", what)


class _Table(NamedTuple):
    """A file, the columns to read, the width of its header (None: no header), and its language.

    The language is empty if there is none, or if `language_column` has that of each row.
    """

    name: str
    file_format: str
    columns: Sequence[int]
    width: int | None
    language: str
    language_column: int | None


def _rows(table: _Table) -> Iterator[list[str]]:
    name, file_format, indices, width, language, language_column = table
    rows = table_rows(name, file_format)
    if width is not None:
        next(rows, None)
    least = width or max(*indices, language_column or 0) + 1
    for number, row in rows:
        if len(row) < least or (width and len(row) > width):
            columns = f"{len(row)} column{'' if len(row) == 1 else 's'}"
            needed = f"the header has {width}" if width else f"column {least} is needed"
            raise UserError(f"{name}:{number}", f"has {columns}, but {needed}")
        if language_column is not None:
            language = check_language(row[language_column], f"{name}:{number}")
        source, *others = (row[index] for index in indices)
        yield [tag_source(source, language), *others]


def table_rows(name: str, file_format: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a file, each with the number of its first line, without blank lines.

    Args:
      name: The name of the file.
      file_format: "tsv" or "csv".

    Yields:
      The number of the row's first line, from 1, and the cells.

    Raises:
      UserError: The file cannot be read, is not UTF-8, or is not CSV.
    """
    if file_format == "csv":
        yield from _csv_rows(name)
        return
    for number, line in enumerate(read_lines(name), start=1):
        if line:
            yield number, line.split("\t")


def _csv_rows(name: str) -> Iterator[tuple[int, list[str]]]:
    # Limits a field whose quote is never closed. The limit holds for the whole process.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    lines = (f"{line}\n" for line in read_lines(name))
    reader = csv.reader(lines, delimiter=_separator(name), strict=True)
    number = 1
    try:
        for row in reader:
            if row:
                yield number, [field.replace("\n", " ") for field in row]
            number = reader.line_num + 1
    except csv.Error as error:
        reason = next((text for part, text in _CSV_ERRORS.items() if part in str(error)), "")
        raise UserError(f"{name}:{number}", f"is not CSV: {reason or error}") from error


_CSV_ERRORS = {
    "unexpected end": "a quote in this row is never closed",
    "larger than": "a field is too long; check for a quote that is never closed",
    "expected after": "there is text after a closing quote; a quote inside quotes must be doubled",
    "new-line": "there is a carriage return outside quotes",
}


def _separator(name: str) -> str:
    first = next(read_lines(name), "")
    outside_quotes = re.sub(r'"[^"]*("|$)', "", first)
    return ";" if ";" in outside_quotes and "," not in outside_quotes else ","


def format_of_name(name: str) -> str:
    """Return the format that the name of a file says, "tsv" or "csv"; empty if it says none.

    Example:
      >>> format_of_name("words.TSV.gz"), format_of_name("words.txt")
      ('tsv', '')
    """
    ending = name.lower().removesuffix(".gz").rpartition(".")[2]
    return ending if ending in FORMATS else ""


def _format_by_name(name: str, key: str) -> str:
    ending = format_of_name(name)
    if not ending:
        what = f"{name} does not end in .tsv, .csv, .tsv.gz or .csv.gz; use tsv or csv"
        raise UserError(f"{key}.format", what)
    return ending


def _header(name: str, file_format: str) -> list[str]:
    for _, row in table_rows(name, file_format):
        return [column.strip() for column in row]
    raise UserError(name, "is empty; its first row must name the columns")


def _by_name(columns: dict[str, str], header: list[str], name: str, key: str) -> list[int]:
    for parameter, column in columns.items():
        if header.count(column.strip()) != 1:
            count = header.count(column.strip())
            problem = f"{count} columns are" if count else "no column is"
            raise UserError(
                f"{key}.{parameter}",
                f"{problem} named {column!r} in {name}, whose first row is {_shown(header)}"
                + ("" if count else "; without a header, use header=false and column numbers"),
            )
    return [header.index(column.strip()) for column in columns.values()]


def _shown(header: list[str]) -> str:
    short = reprlib.Repr()
    short.maxlist, short.maxstring = 30, 40
    return short.repr(header)


def _by_number(columns: dict[str, str], key: str) -> list[int]:
    columns = {name: _NUMBERS.get(column, column) for name, column in columns.items()}
    for parameter, column in columns.items():
        if not re.fullmatch(r"[1-9][0-9]{0,5}", column.strip()):
            rule = "must be the number of a column, from 1, if header is false"
            raise UserError(f"{key}.{parameter}", f"{rule}; got {column!r}")
    return [int(column) - 1 for column in columns.values()]


_NUMBERS = {"source": "1", "target": "2"}
"""The columns that the default names stand for if there is no header."""
