"""Checksums, format and package versions in the JSON files of a workdir."""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import google_crc32c

from seq2seq_jax import __version__
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.parsing import parse_json

FORMAT = 1
"""The format of workdirs that this version writes; it refuses those of a later one."""

SEAL = "written_by"
"""The key under which a file has its format, the versions of packages, and its checksum."""

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


class DamagedFileError(UserError):
    """The content of a file is not what the program wrote."""


def seal(values: Mapping[str, object]) -> dict[str, object]:
    """Add the format, the versions of packages, and a SHA-256 of everything.

    Args:
      values: Values that JSON can hold.

    Returns:
      The values with the additional key `SEAL`.
    """
    written_by: dict[str, object] = {"format": FORMAT, "versions": package_versions()}
    sealed = {**values, SEAL: written_by}
    return {**values, SEAL: {**written_by, "sha256": _digest(sealed)}}


def read_json_object(path: Path) -> dict[str, Any]:
    """Read the values of a JSON file, without verifying them.

    Args:
      path: The file.

    Raises:
      UserError: The file cannot be read, or holds no JSON object.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(str(path), f"cannot be read: {error.strerror}") from error
    values = parse_json(content, str(path))
    if not isinstance(values, dict):
        raise UserError(str(path), "must hold a JSON object")
    return values


def verify_seal(values: Mapping[str, Any], file: str) -> None:
    """Verify the checksum and the format of values that `seal` completed.

    Args:
      values: The values of a file.
      file: Its name, for errors.

    Raises:
      DamagedFileError: The checksum is missing or wrong.
      UserError: A later version wrote the file.
    """
    written_by = values.get(SEAL)
    written_by = dict(written_by) if isinstance(written_by, Mapping) else {}
    expected = written_by.pop("sha256", None)
    if expected != _digest({**values, SEAL: written_by}):
        raise DamagedFileError(file, "its content does not match its checksum")
    if written_by["format"] > FORMAT:
        version = written_by["versions"].get("seq2seq_jax")
        raise UserError(
            file,
            f"was written by seq2seq_jax {version} in format {written_by['format']}, but this"
            f" version reads formats up to {FORMAT}; use that version or a later one",
        )


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide the results."""
    versions = {"python": platform.python_version(), "seq2seq_jax": __version__}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Args:
      path: The file.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def crc32c_of(path: Path) -> str:
    """Return the CRC-32C of a large file in hexadecimal; six times as fast as `sha256_of`.

    Args:
      path: The file.
    """
    checksum = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            checksum.update(chunk)  # type: ignore[no-untyped-call]
    digest: bytes = checksum.digest()  # type: ignore[no-untyped-call]
    return digest.hex()


def _digest(values: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
