"""Indices of Debian's archive: its packages and their descriptions.

An index consists of paragraphs of `Key: value`. A line that starts with a blank continues the value
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
    """Fetch an index of a release once into the cache directory.

    Proxies of the environment (`https_proxy`) are used.

    Args:
      name: The index, such as `main/source/Sources.xz`.
      mirror: The mirror to fetch from.
      release: The release of Debian.

    Returns:
      The file.

    Raises:
      UserError: The mirror does not answer, or the file does not match the release's checksum.
    """
    file = cache_dir("debian") / release / name
    if not file.exists():
        address = f"{mirror.rstrip('/')}/dists/{release}"
        checksum = _checksums(_download(f"{address}/Release")).get(name)
        if checksum is None:
            raise UserError(f"{address}/Release", f"lists no {name}")
        say(f"Fetching {address}/{name}")
        data = _download(f"{address}/{name}")
        if hashlib.sha256(data).hexdigest() != checksum:
            raise UserError(f"{address}/{name}", "does not match its checksum; try again")
        atomic_write(file, data)
    return file


def read_paragraphs(path: str | os.PathLike) -> Iterator[dict[str, list[str]]]:
    """Read the paragraphs of an index.

    Args:
      path: The index, plain, .gz or .xz.

    Yields:
      The lines of each key, stripped.

    Raises:
      UserError: The file cannot be read, or a line of it (FILE:LINE) is not UTF-8 or not of this
        format.
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
    except (OSError, ValueError) as error:  # ValueError: not a URL
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise UserError(address, f"cannot be fetched ({reason})") from error


def _checksums(release: bytes) -> dict[str, str]:
    """Return the SHA-256 checksum of each file that a Release lists."""
    _, _, section = release.decode().partition("\nSHA256:\n")
    checksums = {}
    for line in section.splitlines():
        if not line.startswith(" "):
            break
        checksum, _, name = line.split()
        checksums[name] = checksum
    return checksums
