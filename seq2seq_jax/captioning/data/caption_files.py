"""Files of captions.

  table     file name, tab, caption; a row for each caption. Flickr30k has #0, #1 after the names
  CSV       the same with commas, and quotes around captions with commas; `image,caption` is the
            first row of Kaggle's files
  COCO      JSON: `images` (id, file_name) and `annotations` (image_id, caption)
  Karpathy  JSON: `images` (filename, filepath, split, sentences of tokens or raw text); the splits
            of COCO and Flickr that the literature uses (Karpathy and Fei-Fei, arXiv:1412.2306)

The content decides which form it is.
"""

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from seq2seq_jax.data.readers.tabular_text import format_of_name, table_rows
from seq2seq_jax.data.readers.text_lines import check_readable, read_lines
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.parsing import parse_json


class FileCaptions(NamedTuple):
    """The captions of an image file, whose name is relative to the directory of the images."""

    file: str
    captions: list[str]


def read_captions(
    path: str, split: str = "", image_column: str = "", caption_column: str = ""
) -> list[FileCaptions]:
    """Read a file of captions.

    Args:
      path: The file.
      split: A split of a Karpathy file, or several, as in "train+restval"; empty: all.
      image_column: The name, in the first row of a table, of the column of file names. If both
        column names are empty, the first two columns are read, and the first row is a header if it
        starts with `image`, `file` or a similar name.
      caption_column: The name of the column of captions.

    Returns:
      Each image once, in the order of first appearance.

    Raises:
      UserError: The file cannot be read, has none of the forms, no such split or column, or a row
        with more columns than the first one.
    """
    check_readable(path)
    if _is_json(path):
        return _read_json(path, split)
    if split:
        raise UserError(path, f"is a table, which has no splits; leave out split={split!r}")
    captions: dict[str, list[str]] = {}
    for file, caption in _table_rows(path, image_column, caption_column):
        captions.setdefault(file, []).append(caption)
    return [FileCaptions(*item) for item in captions.items()]


_FORMS = "a row is a file name, a tab (in CSV a comma) and a caption"
_IMAGE_COLUMNS = {"file", "filename", "file_name", "image", "image_name", "path"}
_IMAGE_COLUMNS |= {"picture"}  # terms: ok


def _is_json(path: str) -> bool:
    for line in read_lines(path):
        if line.strip():
            return line.lstrip().startswith("{")
    raise UserError(
        path, "is empty; a caption file has a file name, a tab and a caption on each line"
    )


def _table_rows(path: str, image_column: str, caption_column: str) -> Iterator[tuple[str, str]]:
    kind = _format(path, image_column)
    separators = {"tsv": "tabs", "csv": "commas"}[kind]
    rows = (row for row in table_rows(path, kind) if any(cell.strip() for cell in row[1]))
    columns, width = (0, 1), 0
    for index, (number, row) in enumerate(rows):
        where = f"{path}:{number}"
        if index == 0:
            width = len(row)
            if image_column or caption_column:
                header = [name.strip() for name in row]
                columns = (
                    _column(where, header, image_column, 0),
                    _column(where, header, caption_column, 1),
                )
                continue
            if row[0].strip().lower() in _IMAGE_COLUMNS:
                continue
        if len(row) <= max(columns):
            what = f"has {len(row) - 1} {separators}, but needs {max(columns)} or more"
            raise UserError(where, f"{what}; {_FORMS}")
        if kind == "csv" and len(row) > width:
            what = f"has {len(row)} columns, but the first row has {width}"
            raise UserError(where, f"{what}; captions with commas must be in quotes")
        yield re.sub(r"#\d+$", "", row[columns[0]].strip()), row[columns[1]].strip()


def _format(path: str, image_column: str) -> str:
    """Return "csv" if the first row has commas, but no tab, and the file looks like CSV."""
    first = next(line for line in read_lines(path) if line.strip())
    names = [name.strip().strip('"').lower() for name in re.split("[,;]", first)]
    is_named = format_of_name(path) == "csv"
    has_header = names[0] in _IMAGE_COLUMNS or image_column.lower() in names
    return "csv" if "\t" not in first and len(names) > 1 and (is_named or has_header) else "tsv"


def _column(where: str, header: list[str], name: str, default: int) -> int:
    if not name:
        return default
    if name not in header:
        valid = ", ".join(map(repr, header))
        raise UserError(where, f"has no column {name!r}; valid: {valid}; {_FORMS}")
    return header.index(name)


def _read_json(path: str, split: str) -> list[FileCaptions]:
    content = parse_json("\n".join(read_lines(path)), path)  # The error names the line.
    try:
        if "annotations" in content:
            if split:
                what = f"COCO has a file for each split; leave out split={split!r}"
                raise UserError(path, what)
            return _coco(content)
        return _karpathy(content, split, path)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            path,
            "is neither COCO's JSON (images: id, file_name; annotations: image_id, caption) nor "
            f"Karpathy's (images: filename, split, sentences): {type(error).__name__} {error}",
        ) from error


def _coco(content: dict[str, Any]) -> list[FileCaptions]:
    by_id = {image["id"]: FileCaptions(image["file_name"], []) for image in content["images"]}
    for annotation in content["annotations"]:
        by_id[annotation["image_id"]].captions.append(_flat(annotation["caption"]))
    return list(by_id.values())


def _karpathy(content: dict[str, Any], split: str, path: str) -> list[FileCaptions]:
    wanted = set(split.split("+")) if split else None
    known = {image.get("split", "") for image in content["images"]}
    if wanted and not wanted <= known:
        raise UserError(path, f"has no split {split!r}; valid: {', '.join(sorted(known))}")
    return [
        FileCaptions(
            os.path.join(image.get("filepath", ""), image["filename"]),
            [
                " ".join(sentence["tokens"]) if "tokens" in sentence else _flat(sentence["raw"])
                for sentence in image["sentences"]
            ],
        )
        for image in content["images"]
        if wanted is None or image["split"] in wanted
    ]


def _flat(caption: str) -> str:
    """Join the lines of a caption; some of COCO's have line feeds."""
    return " ".join(caption.split())
