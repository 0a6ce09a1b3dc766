"""Debian's descriptions of its packages, a long and a short one of each: a task of summarisation.

    Package: 2048
    Description-en: Slide and add puzzle game for text mode
     2048 is a mathematics-based puzzle game where you have to slide tiles on a grid to ...

Packages that are built from one source say nearly the same of themselves, so of those whose long
descriptions begin with the same paragraph one is kept, that with the shortest: `foo` rather than
`foo-dev`, which goes on to say what else it is. Source packages are wholly in one split, together
with those that have the same name but for numbers (gcc-11, gcc-12).

Texts are lower-cased, and words and punctuation are separated by blanks, as in the Gigaword corpus
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
LEAST_WORDS = 5  # of a long description that says anything


class Description(NamedTuple):
    """What is said of one package, and the source that it is built from."""

    package: str
    source_package: str
    long: str
    short: str


def write_package_descriptions(
    descriptions: str | os.PathLike, sources: str | os.PathLike, folder: str | os.PathLike
) -> dict[str, Path]:
    """Writes FOLDER/train.tsv, dev.tsv and test.tsv: a row a package, the first with the names of
    the columns, `package`, `source_package`, `long` and `short`.

    Args:
      descriptions: Debian's index Translation-en; plain, .gz or .xz.
      sources: its index Sources, likewise.

    Returns:
      The three files by the name of their split.

    Raises:
      UserError: an index cannot be read, or is another.
    """
    folder = Path(folder).expanduser()
    rows: dict[str, list[Description]] = {"train": [], "dev": [], "test": []}
    for description in package_descriptions(descriptions, sources):
        rows[split_of(description.source_package)].append(description)
    tables = {split: folder / f"{split}.tsv" for split in rows}
    for split, table in tables.items():
        lines = ["\t".join(row) + "\n" for row in [Description._fields, *rows[split]]]
        atomic_write(table, "".join(lines).encode("utf-8"))
    return tables


def package_descriptions(
    descriptions: str | os.PathLike, sources: str | os.PathLike
) -> Iterator[Description]:
    """Yields those that are kept, in the order of the index. Arguments and errors as above."""
    source_of = _sources(sources)
    kept: dict[str, Description] = {}
    for paragraph in read_paragraphs(descriptions):
        package, lines = _value(paragraph, "Package", descriptions), paragraph.get("Description-en")
        if lines is None:
            raise UserError(str(descriptions), f"has no Description-en of {package}")
        short, *body = lines
        beginning = " ".join(itertools.takewhile(lambda line: line != ".", body))
        long = as_tokens(" ".join(line for line in body if line != "."))
        if len(long.split()) < LEAST_WORDS or "transitional" in short.lower():
            continue
        key = _without_numbers(beginning.lower())
        if key not in kept or len(long) < len(kept[key].long):
            source = source_of.get(package, package)
            kept[key] = Description(package, source, long, as_tokens(short))
    yield from kept.values()


def as_tokens(text: str) -> str:
    """Lower-cased; words and punctuation separated by blanks. `libc6's` and `x.org` are words."""
    return " ".join(_TOKEN.findall(text.lower()))


def split_of(source_package: str) -> str:
    """The split that a source package belongs to, by a hash of its name: "train", "dev", "test"."""
    family = _without_numbers(source_package)
    digest = hashlib.blake2b(family.encode(), digest_size=8).digest()
    bucket = int.from_bytes(digest, "big") % 100
    if bucket < DEV_PERCENT:
        return "dev"
    return "test" if bucket < DEV_PERCENT + TEST_PERCENT else "train"


def _sources(path: str | os.PathLike) -> dict[str, str]:
    """Package -> the source that it is built from; of several the first by name."""
    found: dict[str, str] = {}
    for paragraph in read_paragraphs(path):
        source = _value(paragraph, "Package", path)
        for package in " ".join(paragraph.get("Binary", [])).replace(",", " ").split():
            found[package] = min(source, found.get(package, source))
    if not found:
        raise UserError(str(path), "says of no source which packages are built from it")
    return found


def _value(paragraph: dict[str, list[str]], key: str, path: str | os.PathLike) -> str:
    if key not in paragraph:
        raise UserError(str(path), f"has a paragraph without {key}: {next(iter(paragraph))}: ...")
    return paragraph[key][0]


def _without_numbers(name: str) -> str:
    return _NUMBER.sub("", name)


_TOKEN = re.compile(r"\w+(?:['._+-]\w+)*|[^\w\s]")
_NUMBER = re.compile(r"[-.]?[0-9]+")
