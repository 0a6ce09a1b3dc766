"""A summarization corpus: the long and the short description of each Debian package.

    Package: 2048
    Description-en: Slide and add puzzle game for text mode
     2048 is a mathematics-based puzzle game where you have to slide tiles on a grid to ...

Packages that are built from one source have similar descriptions. Of those whose long descriptions
start with the same paragraph, only the one with the shortest description is kept: `foo` rather than
`foo-dev`. All packages of a source package are in one split, together with those of sources whose
names differ only in numbers (gcc-11, gcc-12).

Texts are lower-cased, and words and punctuation are separated by spaces, as in the Gigaword corpus
of headlines (Rush et al. 2015, arXiv:1509.00685).
"""

import hashlib
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from experiments.package_descriptions.debian_index import read_paragraphs
from seq2seq_jax.utils.atomic_io import atomic_write
from seq2seq_jax.utils.errors import UserError

INDICES = ("main/i18n/Translation-en.xz", "main/source/Sources.xz")
DEV_PERCENT, TEST_PERCENT = 3, 5
MIN_WORDS = 5
"""Shorter long descriptions are dropped."""


class Description(NamedTuple):
    """The descriptions of one package, and the source package that it is built from."""

    package: str
    source_package: str
    long: str
    short: str


def write_package_descriptions(
    descriptions: str | os.PathLike, sources: str | os.PathLike, folder: str | os.PathLike
) -> dict[str, Path]:
    """Write train.tsv, dev.tsv and test.tsv, with one row for each package below a header.

    The columns are `package`, `source_package`, `long` and `short`.

    Args:
      descriptions: Debian's index Translation-en; plain, .gz or .xz.
      sources: Debian's index Sources, likewise.
      folder: The directory for the files.

    Returns:
      The three files by the name of their split.

    Raises:
      UserError: An index cannot be read, or lacks a field.
    """
    folder = Path(folder).expanduser()
    rows: dict[str, list[Description]] = {"train": [], "dev": [], "test": []}
    for description in package_descriptions(descriptions, sources):
        rows[assign_split(description.source_package)].append(description)
    tables = {split: folder / f"{split}.tsv" for split in rows}
    for split, table in tables.items():
        lines = ["\t".join(row) + "\n" for row in [Description._fields, *rows[split]]]
        atomic_write(table, "".join(lines).encode("utf-8"))
    return tables


def package_descriptions(
    descriptions: str | os.PathLike, sources: str | os.PathLike
) -> Iterator[Description]:
    """Yield the packages that are kept, in the order of the index.

    Args:
      descriptions: Debian's index Translation-en; plain, .gz or .xz.
      sources: Debian's index Sources, likewise.

    Yields:
      One description for each package that is kept.

    Raises:
      UserError: An index cannot be read, or lacks a field.
    """
    source_of = _sources(sources)
    kept: dict[str, Description] = {}
    for paragraph in read_paragraphs(descriptions):
        package, lines = _value(paragraph, "Package", descriptions), paragraph.get("Description-en")
        if lines is None:
            raise UserError(str(descriptions), f"has no Description-en of {package}")
        short, *body = lines
        beginning = " ".join(itertools.takewhile(lambda line: line != ".", body))
        long = tokenize(" ".join(line for line in body if line != "."))
        if len(long.split()) < MIN_WORDS or "transitional" in short.lower():
            continue
        key = _without_numbers(beginning.lower())
        if key not in kept or len(long) < len(kept[key].long):
            source = source_of.get(package, package)
            kept[key] = Description(package, source, long, tokenize(short))
    yield from kept.values()


def tokenize(text: str) -> str:
    """Lower-case a text and separate words and punctuation by spaces.

    Args:
      text: The text. `libc6's` and `x.org` are words.
    """
    return " ".join(_TOKEN.findall(text.lower()))


def assign_split(source_package: str) -> str:
    """Return the split of a source package, "train", "dev" or "test", by a hash of its name.

    Args:
      source_package: The name of the source package.
    """
    family = _without_numbers(source_package)
    digest = hashlib.blake2b(family.encode(), digest_size=8).digest()
    bucket = int.from_bytes(digest, "big") % 100
    if bucket < DEV_PERCENT:
        return "dev"
    return "test" if bucket < DEV_PERCENT + TEST_PERCENT else "train"


def _sources(path: str | os.PathLike) -> dict[str, str]:
    """Map each package to its source package; of several, to the first by name."""
    found: dict[str, str] = {}
    for paragraph in read_paragraphs(path):
        source = _value(paragraph, "Package", path)
        for package in " ".join(paragraph.get("Binary", [])).replace(",", " ").split():
            found[package] = min(source, found.get(package, source))
    if not found:
        raise UserError(str(path), "lists no packages for any source")
    return found


def _value(paragraph: dict[str, list[str]], key: str, path: str | os.PathLike) -> str:
    if key not in paragraph:
        raise UserError(str(path), f"has a paragraph without {key}: {next(iter(paragraph))}: ...")
    return paragraph[key][0]


def _without_numbers(name: str) -> str:
    return _NUMBER.sub("", name)


_TOKEN = re.compile(r"\w+(?:['._+-]\w+)*|[^\w\s]")
_NUMBER = re.compile(r"[-.]?[0-9]+")
