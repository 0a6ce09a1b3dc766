"""A small captioning corpus: the emoji of two vendors, with their Unicode names.

The npm packages `emoji-datasource-google` (Noto Emoji, Apache License 2.0) and
`emoji-datasource-twitter` (Twemoji, Creative Commons Attribution 4.0), version 16.0.0, have the
same emoji as images of 64 x 64 pixels, and a list of their names. Skin tones and flags are left
out: skin tones repeat one drawing in six colours, and flags are not drawings.

Google's images are the training set. One in ten of Twitter's images, chosen by a hash of the name,
is the dev set; the others are the test set.
"""

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.emoji.npm_package import fetch_npm_package
from seq2seq_jax.utils.atomic_io import atomic_write

VERSION = "16.0.0"
# The checksums that the registry publishes.
PACKAGES = {
    "google": "sha512-ZRexfzs7MVoLnmzZmNsO4TKhnAJp5D++Vm6PpUpH/jEQQlemp3l88CjZ+DoZ2faM9R4QxZkO"
    "PJCoT8DlPhfQ3A==",
    "twitter": "sha512-7F+uCuHH+7Qnrc15P5tnbvKkg9E6tlzi4MnT2uW1RlN4pLYTza6cP/dstIfSDMtpjFLWuZew"
    "Wg8jBbuL2eyELQ==",
}
DEV_PERCENT = 10
_LEFT_OUT = ("Flags", "Component")  # Components are skin tones.


class Emoji(NamedTuple):
    """An emoji: the file name of its image, and its name in lower case."""

    file: str
    name: str


def fetch_emoji(folder: str | os.PathLike) -> dict[str, Path]:
    """Fetch the packages (136 MB, cached) and write images and captions, unless they exist.

      DIRECTORY/google/*.png, DIRECTORY/twitter/*.png
      DIRECTORY/train.tsv    Google's images, as `google/1f600.png<TAB>grinning face`
      DIRECTORY/dev.tsv      Twitter's images, one name in ten
      DIRECTORY/test.tsv     Twitter's images, all other names

    Args:
      folder: The directory.

    Returns:
      The three files of captions by the name of their split.

    Raises:
      UserError: A package cannot be fetched, or does not match its checksum.
    """
    folder = Path(folder)
    tables = {split: folder / f"{split}.tsv" for split in ("train", "dev", "test")}
    if all(table.exists() for table in tables.values()):
        return tables
    folder.mkdir(parents=True, exist_ok=True)
    packed = {
        artists: fetch_npm_package(f"emoji-datasource-{artists}", VERSION, integrity)
        for artists, integrity in PACKAGES.items()
    }
    emoji = parse(json.loads(_read(packed["google"], "emoji.json")))
    for artists, package in packed.items():
        _unpack(package, f"img/{artists}/64", [each.file for each in emoji], folder / artists)
    rows = {
        "train": [f"google/{each.file}\t{each.name}" for each in emoji],
        "dev": [f"twitter/{each.file}\t{each.name}" for each in emoji if is_dev(each.name)],
        "test": [f"twitter/{each.file}\t{each.name}" for each in emoji if not is_dev(each.name)],
    }
    for split, table in tables.items():
        atomic_write(table, "".join(f"{row}\n" for row in rows[split]).encode("utf-8"))
    return tables


def parse(entries: Sequence[dict[str, Any]]) -> list[Emoji]:
    """Return the emoji of the packages' emoji.json that both vendors have drawn.

    Args:
      entries: The content of emoji.json.
    """
    return [
        Emoji(entry["image"], entry["name"].lower())
        for entry in entries
        if entry["category"] not in _LEFT_OUT
        and all(entry[f"has_img_{artists}"] for artists in PACKAGES)
    ]


def is_dev(name: str) -> bool:
    """Return whether Twitter's image of this name belongs to the dev set, not to the test set.

    Args:
      name: The emoji's name in lower case.
    """
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 100 < DEV_PERCENT


def _read(package: Path, file: str) -> bytes:
    for name, data in _members(package):
        if name == f"package/{file}":
            return data
    raise FileNotFoundError(f"{file} in {package}")


def _unpack(package: Path, source: str, files: Sequence[str], target: Path) -> None:
    """Write some files of one directory of a package: all of them or, after a crash, none."""
    if target.exists():
        return
    wanted = {f"package/{source}/{file}": file for file in files}
    part = Path(tempfile.mkdtemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent))
    try:
        for name, data in _members(package):
            if file := wanted.pop(name, None):
                (part / file).write_bytes(data)
        if wanted:
            raise FileNotFoundError(f"{min(wanted)} in {package}")
        part.chmod(0o755)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _members(package: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(package, "r|gz") as archive:
        for member in archive:
            opened = archive.extractfile(member)
            if opened is not None:
                yield member.name, opened.read()
