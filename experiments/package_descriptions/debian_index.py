"""Indices of Debian's archive: which packages there are, and what is said of them.

They are paragraphs of `Key: value`, where a line that begins with a blank goes on with the value
before it (https://www.debian.org/doc/debian-policy/ch-controlfields.html).
"""

import hashlib
import lzma
import os
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

from seq2seq_jax.data.readers.text_lines import decode_lines, read_lines
from seq2seq_jax.utils.atomic_io import atomic_write
from seq2seq_jax.utils.cache_dir import cache_dir
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import say

MIRROR = "https://deb.debian.org/debian"


def fetch_index(name: str, *, mirror: str = MIRROR, release: str = "bookworm") -> Path:
    """An index of a release, such as `main/source/Sources.xz`; fetched once, then kept.

    Proxies are those that the environment names (`https_proxy`).

    Raises:
      UserError: the mirror does not answer, or the file has not the checksum that the release has
        for it.
    """
    file = cache_dir("debian") / release / name
    if not file.exists():
        address = f"{mirror.rstrip('/')}/dists/{release}"
        checksum = _checksums(_download(f"{address}/Release")).get(name)
        if checksum is None:
            raise UserError(f"{address}/Release", f"lists no {name}")
        say(f"fetching {address}/{name}")
        data = _download(f"{address}/{name}")
        if hashlib.sha256(data).hexdigest() != checksum:
            raise UserError(f"{address}/{name}", "is not the file that its Release has; try again")
        atomic_write(file, data)
    return file


def read_paragraphs(path: str | os.PathLike) -> Iterator[dict[str, list[str]]]:
    """The paragraphs of an index, plain, .gz or .xz; of each key its lines, without outer blanks.

    Raises:
      UserError: the file cannot be read, or (FILE:LINE) is not UTF-8 or no such index.
    """
    name = os.fspath(path)
    paragraph: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for number, line in enumerate(_lines(name), start=1):
        key, colon, value = line.partition(":")
        if not line:
            if paragraph:
                yield paragraph
            paragraph, lines = {}, None
        elif line[0] in " \t" and lines is not None:
            lines.append(line.strip())
        elif colon and line[0] not in " \t":
            lines = paragraph[key] = [value.strip()]
        else:
            raise UserError(f"{name}:{number}", f"must be `Key: value`; got {line[:40]!r}")
    if paragraph:
        yield paragraph


def _lines(name: str) -> Iterable[str]:
    return _unpacked_lines(name) if name.endswith(".xz") else read_lines(name)


def _unpacked_lines(name: str) -> Iterator[str]:
    try:
        with lzma.open(name) as file:
            yield from decode_lines(file, name)  # type: ignore[arg-type]
    except (OSError, lzma.LZMAError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(name, f"cannot be read ({reason})") from error


def _download(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.read()
    except (OSError, ValueError) as error:  # ValueError: no address at all
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise UserError(address, f"cannot be fetched ({reason})") from error


def _checksums(release: bytes) -> dict[str, str]:
    """SHA-256 of each file that a Release lists."""
    _, _, section = release.decode().partition("\nSHA256:\n")
    checksums = {}
    for line in section.splitlines():
        if not line.startswith(" "):
            break
        checksum, _, name = line.split()
        checksums[name] = checksum
    return checksums
