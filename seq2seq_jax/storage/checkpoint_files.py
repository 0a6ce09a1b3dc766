"""The files of one checkpoint, and their verification.

`DIRECTORY/<step>` holds

  state/           the arrays, written by Orbax
  checkpoint.json  the step, the position in the data, the metrics, the time, the configuration and
                   digests of the other files of the run, the versions of packages, and a checksum
  SHA256SUMS       checksums of all these files; `sha256sum -c SHA256SUMS` checks them by hand

Orbax does not notice a changed byte of the arrays and restores wrong numbers. Therefore the
checksums are compared before Orbax reads anything.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orbax.checkpoint as ocp

from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.integrity import (
    DamagedFileError,
    read_json_object,
    seal,
    sha256_of,
    verify_seal,
)

_METADATA, _SUMS = "checkpoint.json", "SHA256SUMS"


def write_metadata(directory: Path, entry: Mapping[str, object]) -> None:
    """Write `checkpoint.json` and `SHA256SUMS`, when all other files are written.

    Args:
      directory: The directory of the checkpoint.
      entry: What `checkpoint.json` says, as JSON.
    """
    sealed = seal(json.loads(json.dumps(entry)))
    (directory / _METADATA).write_text(json.dumps(sealed), encoding="utf-8")
    (directory / _SUMS).write_bytes(_sums(directory))


def read_metadata(directory: Path) -> dict[str, Any]:
    """Read `checkpoint.json` and verify it.

    Args:
      directory: The directory of the checkpoint, which is named by the step.

    Returns:
      Its values, with the key `integrity.SEAL`.

    Raises:
      DamagedFileError: The file is damaged, or belongs to another step.
      UserError: A later version wrote it.
    """
    file = directory / _METADATA
    try:
        entry = read_json_object(file)
    except UserError as error:
        raise DamagedFileError(error.where, error.what) from error
    verify_seal(entry, str(file))
    if str(entry["step"]) != directory.name:
        what = f"belongs to step {entry['step']}; the directory was exchanged or copied"
        raise DamagedFileError(str(file), what)
    return entry


def read_checkpoint(directory: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a checkpoint and verify it.

    Args:
      directory: The directory of the checkpoint, which is named by the step.

    Returns:
      The arrays by their dotted names, and the data that were saved with them.

    Raises:
      Exception: Any, if a file is damaged: the readers can raise anything.
    """
    entry = read_metadata(directory)
    if (directory / _SUMS).read_bytes() != _sums(directory):
        raise ValueError(f"its bytes do not match its {_SUMS}")
    with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as reader:
        arrays = reader.restore(directory.absolute() / "state", args=ocp.args.StandardRestore())
    return dict(arrays), entry["data"]


def _sums(directory: Path) -> bytes:
    """Return the SHA-256 of every file in a checkpoint in sha256sum's format, sorted by name."""
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != _SUMS)
    lines = [f"{sha256_of(path)}  {path.relative_to(directory).as_posix()}\n" for path in files]
    return "".join(lines).encode()
