"""Emoji of two families of artists, with their Unicode names: a small task of captioning.

The npm packages `emoji-datasource-google` (Noto Emoji, Apache License 2.0) and
`emoji-datasource-twitter` (Twemoji, Creative Commons Attribution 4.0), version 16.0.0, have the
same emoji as pictures of 64 x 64 pixels, and a list of their names. Skin colours and flags are left
out: the first are one drawing in six colours, the second no drawings at all.

Google's pictures are for training. Twitter's, by artists that the model has not seen, are for
testing, but for one in ten, by a hash of the name, that is for choosing what to train how long.
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
_LEFT_OUT = ("Flags", "Component")  # components are the skin colours by themselves


class Emoji(NamedTuple):
    """The name of its picture's file, and its name in lower case."""

    file: str
    name: str


def fetch_emoji(folder: str | os.PathLike) -> dict[str, Path]:
    """Fetches the packages (136 MB, kept) and writes pictures and captions; what is there stays.

      FOLDER/google/*.png, FOLDER/twitter/*.png
      FOLDER/train.tsv    google's pictures of all names, as `google/1f600.png<TAB>grinning face`
      FOLDER/dev.tsv      twitter's, one name in ten
      FOLDER/test.tsv     twitter's, all other names

    Returns:
      The three files of captions by the name of their split.

    Raises:
      UserError: a package cannot be fetched, or is not what it was.
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
    """The emoji of the packages' emoji.json that both families of artists have drawn."""
    return [
        Emoji(entry["image"], entry["name"].lower())
        for entry in entries
        if entry["category"] not in _LEFT_OUT
        and all(entry[f"has_img_{artists}"] for artists in PACKAGES)
    ]


def is_dev(name: str) -> bool:
    """Whether twitter's picture of this name is for dev rather than for test."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 100 < DEV_PERCENT


def _read(package: Path, file: str) -> bytes:
    for name, data in _members(package):
        if name == f"package/{file}":
            return data
    raise FileNotFoundError(f"{file} in {package}")


def _unpack(package: Path, source: str, files: Sequence[str], target: Path) -> None:
    """Writes some files of one folder of a package: all of them or, if this process dies, none."""
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
