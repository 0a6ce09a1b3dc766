"""Published weights of InceptionV3, fetched from where they are published."""

import hashlib
import os
import shutil
import tempfile
import urllib.request
from pathlib import Path
from typing import NamedTuple

from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import explain_write_errors


class Source(NamedTuple):
    """Published weights.

    Attributes:
      url: Where they are.
      checksum: `ALGORITHM:HEX`, as published; HEX can be a prefix of the digest.
    """

    url: str
    checksum: str


SOURCES = {
    "keras": Source(
        "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
        "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "md5:bcbd6486424b2319ff4ef7d526e38f63",
    ),
    "torchvision": Source(
        "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
        "sha256:0cc3c7bd",
    ),
}


def fetch_weights(name: str, directory: str | os.PathLike[str]) -> Path:
    """Download weights, unless the directory has them already.

    Args:
      name: A key of `SOURCES`.
      directory: Where to store the file; it is created if it is missing.

    Returns:
      The file for `read_inception_weights`.

    Raises:
      UserError: There is no such name or no network, the file differs from the published one, or it
        cannot be written.
    """
    if name not in SOURCES:
        raise UserError("SOURCE", f"must be one of {', '.join(SOURCES)}; got {name}")
    source = SOURCES[name]
    path = Path(directory) / source.url.rsplit("/", 1)[1]
    if path.exists():
        return path
    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch_directory = tempfile.TemporaryDirectory(dir=path.parent)
    with scratch_directory as scratch:
        part = Path(scratch) / path.name
        try:
            with urllib.request.urlopen(source.url) as response, part.open("wb") as file:
                shutil.copyfileobj(response, file)
        except OSError as error:
            raise UserError(source.url, f"cannot be fetched: {error}") from error
        _check(part, source)
        os.replace(part, path)
    return path


def _check(path: Path, source: Source) -> None:
    algorithm, expected = source.checksum.split(":")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, algorithm).hexdigest()
    if not digest.startswith(expected):
        raise UserError(
            source.url,
            f"differs from the published file: its {algorithm} is {digest}, not {expected}; try"
            " again in case the download was incomplete",
        )
