"""Detection of the columns of a table: which are source and target, and whether they have names."""

import reprlib
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from seq2seq_jax.data.readers.tabular_text import format_of_name, table_rows
from seq2seq_jax.data.readers.text_lines import check_readable, read_lines
from seq2seq_jax.utils.errors import UserError

_SOURCES = """source src input inputs lemma word words grapheme graphemes spelling orthography
question text document article"""
_TARGETS = """target tgt trg output outputs form inflected phoneme phonemes phone phones
pronunciation pronunciations ipa transcription answer translation summary label reference"""
_OTHERS = """id index sentence number tag tags feature features msd pos language lang split english
german french spanish italian portuguese russian chinese japanese korean arabic turkish finnish"""
SOURCE_NAMES, TARGET_NAMES, OTHER_NAMES = (
    frozenset(names.split()) for names in (_SOURCES, _TARGETS, _OTHERS)
)
"""Usual words in names of columns, in lower case."""
FEATURE_NAMES = frozenset(("tag", "tags", "feature", "features", "msd"))

_ROWS = 1000
_FLAGS = "--source-column and --target-column"


class TableColumns(NamedTuple):
    """The columns of a table, as `TSVInputPipeline` takes them.

    Attributes:
      source_column: The name of the column, or its number, from 1, if there is no header.
      target_column: Likewise, of the targets.
      header: Whether the first row names the columns.
      format: "tsv" or "csv" if the name of the file does not say it; otherwise empty.
      first_row: The first row.
      others: Further columns by parameter (`features_column`), in the same form.
    """

    source_column: str
    target_column: str
    header: bool
    format: str
    first_row: tuple[str, ...]
    others: Mapping[str, str] = {}

    def describe(self) -> str:
        """Return what was found, for the log."""
        if not self.header:
            first = " and ".join(map(reprlib.repr, self.first_row))
            columns = f"columns {self.source_column} and {self.target_column}"
            text = f"no header: the first row, {first}, is a pair; {columns} are read"
        else:
            names = f"column names found: {', '.join(self.first_row)}"
            text = f"{names}; {self.source_column} -> {self.target_column}"
        for name, column in self.others.items():
            text += f"; {name.removesuffix('_column')} in column {column}"
        return text

    def unread_features(self) -> str:
        """Return the name of a column that seems to have features but is not read; or ""."""
        if not self.header:
            return ""
        read = {self.source_column, self.target_column, *self.others.values()}
        free = [i for i, name in enumerate(self.first_row) if name not in read]
        found = _only(self.first_row, FEATURE_NAMES, free)
        return "" if found is None else self.first_row[found]


def detect_columns(
    path: str,
    source_column: str = "",
    target_column: str = "",
    others: Mapping[str, str] = {},
) -> TableColumns:
    """Find the source and the target column of a table, from its first 1,000 rows.

    The first row counts as a header only if it holds a column name that the caller gives, or if
    all of its cells are usual names of columns (`lemma`, `form`, `source`, `features`, ...).
    Otherwise it is a pair.

    Args:
      path: A .tsv or .csv file, plain or .gz, or a text file with tabs.
      source_column: The name of the source column, or its number, from 1; empty: detect it.
      target_column: Likewise, of the target column.
      others: Further columns by parameter (`features_column`), by name or number. They are neither
        source nor target.

    Returns:
      The columns.

    Raises:
      UserError: The file cannot be read or is no table, or the columns cannot be told.
    """
    check_readable(path)
    file_format = format_of_name(path)
    written_format = ""
    if not file_format:
        file_format = written_format = _format_of_content(path)
    rows = [(number, row) for number, row in islice(table_rows(path, file_format), _ROWS)]
    if not rows:
        raise UserError(path, "is empty; a row has a source and a target")
    first = [cell.strip() for cell in rows[0][1]]
    given = [column for column in (source_column, target_column, *others.values()) if column]
    header = any(c in first and not c.isdecimal() for c in given) or _is_header(first)
    width = len(first)
    if width == 1:
        what = "a semicolon or a comma" if file_format == "csv" else "a tab"
        raise UserError(f"{path}:{rows[0][0]}", f"has one column; put {what} between the columns")
    if not header and not (source_column and target_column):
        for number, row in rows:
            if len(row) > 2 + len(others):
                raise UserError(
                    f"{path}:{number}",
                    f"has {len(row)} columns and the file has no header; say which are read with"
                    f" {_FLAGS}, for example 1 and 2",
                )
    source, target, *indices = (
        _index(path, column, first, header)
        for column in (source_column, target_column, *others.values())
    )
    free = [i for i in range(width) if i not in indices]
    if header and (source is None or target is None) and len(free) > 2:
        source = _only(first, SOURCE_NAMES, free) if source is None else source
        target = _only(first, TARGET_NAMES, free) if target is None else target
        if source is None or target is None:
            raise UserError(
                path, f"has the columns {', '.join(first)}; say which are read with {_FLAGS}"
            )
    if len(free) < 2:
        what = f"has {width} columns, but a source, a target and {len(others)} more are needed"
        raise UserError(f"{path}:{rows[0][0]}", what)
    source, target = _complete(source, target, first, free)
    chosen = [source, target, *(index for index in indices if index is not None)]
    for i, index in enumerate(chosen):
        if index in chosen[:i]:
            roles = ["source", "target", *(name.removesuffix("_column") for name in others)]
            both = f"{roles[chosen.index(index)]} and {roles[i]}"
            flags = _FLAGS if i == 1 else f"--{roles[i]}-column"
            raise UserError(path, f"{both} are the same column; use two with {flags}")
    names = [first[index] if header else str(index + 1) for index in chosen]
    if header and any(first.count(name) > 1 for name in names):
        raise UserError(path, f"two columns have one name in the header {', '.join(first)}")
    further = dict(zip(others, names[2:], strict=True))
    return TableColumns(names[0], names[1], header, written_format, tuple(first), further)


def detect_features_column(path: str) -> str:
    """Find the column of features of a table: the one with a usual name, or the last of three.

    Args:
      path: As for `detect_columns`.

    Returns:
      The name of the column, or its number if there is no header.

    Raises:
      UserError: The file cannot be read, or it is not clear which column has the features.
    """
    check_readable(path)
    file_format = format_of_name(path) or _format_of_content(path)
    first = next(([cell.strip() for cell in row] for _, row in table_rows(path, file_format)), [])
    if _is_header(first):
        found = _only(first, FEATURE_NAMES, range(len(first)))
        if found is not None:
            return first[found]
    elif len(first) == 3:
        return "3"
    shown = ", ".join(map(reprlib.repr, first))
    what = f"its first row is {shown}; say which column has the features with --features-column"
    raise UserError(path, what)


def _is_header(row: Sequence[str]) -> bool:
    cells = [_words(cell) for cell in row]
    known = SOURCE_NAMES | TARGET_NAMES | OTHER_NAMES
    # A column of row numbers often has no name.
    named = [cell for i, cell in enumerate(cells) if cell or i]
    return len(set(row)) == len(row) > 1 and all(cell and known.issuperset(cell) for cell in named)


def _words(cell: str) -> tuple[str, ...]:
    """Return the words of a name such as "source_text"."""
    return tuple(cell.lower().replace("_", " ").split())


def _index(path: str, column: str, first: Sequence[str], header: bool) -> int | None:
    """Return the index of a column that is given by name or number; None if it is not given."""
    if not column:
        return None
    if header and column in first:
        return first.index(column)
    if column.isdecimal() and 1 <= int(column) <= len(first):
        return int(column) - 1
    shown = ", ".join(map(reprlib.repr, first))
    raise UserError(path, f"has no column {column!r}; its first row is {shown}; correct the flag")


def _only(first: Sequence[str], names: Collection[str], free: Collection[int]) -> int | None:
    """Return the index of the only free column with one of these names, if there is one."""
    found = [i for i in free if first[i] and _words(first[i])[0] in names]
    return found[0] if len(found) == 1 else None


def _complete(
    source: int | None, target: int | None, first: Sequence[str], free: Sequence[int]
) -> tuple[int, int]:
    """Return both indices of a table with two free columns, of which any may be missing."""
    one, two = free[:2]
    if source is None and target is None:
        swapped = (_only(first, TARGET_NAMES, [one]), _only(first, SOURCE_NAMES, [two]))
        return (two, one) if swapped == (one, two) else (one, two)
    if source is None:
        assert target is not None
        return two if target == one else one, target
    return source, (two if source == one else one) if target is None else target


def _format_of_content(path: str) -> str:
    first = next((line for line in read_lines(path) if line), "")
    if "\t" not in first:
        raise UserError(
            path,
            "is no table: its name does not end in .tsv or .csv, and its first line has no tab",
        )
    return "tsv"
