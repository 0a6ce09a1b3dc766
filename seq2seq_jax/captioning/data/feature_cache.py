"""The features of images under a frozen network, computed once and cached on disk.

A frozen network computes the same features for an image in every epoch, and this is nearly the
whole cost of captioning. So they are computed once, into an array that is mapped into memory:

  DIGEST.npy   [M, S, C], in the order of the images
  DIGEST.json  the indices of broken images, whose features are zeros, and a checksum of the array

DIGEST identifies everything that they depend on: the bytes of the images, their size, the weights
and the configuration of the network.
"""

import hashlib
import json
import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from seq2seq_jax.captioning.data.decoded_images import DecodedImages
from seq2seq_jax.captioning.data.image_batches import image_batches
from seq2seq_jax.captioning.data.image_variants import ImageVariants
from seq2seq_jax.utils.atomic_io import atomic_write
from seq2seq_jax.utils.cache_dir import CACHE_REMEDY
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import explain_write_errors
from seq2seq_jax.utils.integrity import crc32c_of, read_json_object, seal, verify_seal
from seq2seq_jax.utils.logging import progress_bar

_log = logging.getLogger(__name__)

_FORMAT = 1


class CachedFeatures:
    """M images, each [S, C].

    Attributes:
      batch_key: The key of such images in a batch.
      features: [M, S, C], mapped into memory.
      broken: The indices of the images that are broken and skipped.
      digest: Identifies how the features were made.
      shape: (S, C).
      dtype: The type of the features.
    """

    batch_key = "image_features"

    def __init__(self, features: np.ndarray, broken: set[int], digest: str) -> None:
        self.features, self.broken, self.digest = features, broken, digest
        self.shape: tuple[int, ...] = features.shape[1:]
        self.dtype = features.dtype

    def __len__(self) -> int:
        return len(self.features)

    def get(self, index: int) -> np.ndarray | None:
        """Return the features [S, C] of an image, or None if it is broken and skipped.

        Args:
          index: The index of the image.
        """
        return None if index in self.broken else self.features[index]


def cached_features(
    compute: Callable[[np.ndarray], np.ndarray],
    images: DecodedImages | ImageVariants,
    *,
    images_digest: str,
    weights_digest: str,
    network: str,
    directory: str | os.PathLike[str],
    batch_size: int = 32,
    dtype: str = "float32",
) -> CachedFeatures:
    """Find the features of images in the cache, or compute and store them.

    A computation that is killed leaves no file that is found later, and two processes can compute
    the same features at the same time.

    Args:
      compute: Maps [batch_size, H, W, 3] uint8 to [batch_size, S, C]. The features of an image must
        not depend on the rest of the batch; the last batch is padded with zeros.
      images: M images.
      images_digest: A digest of the bytes of these images.
      weights_digest: A digest of the weights of the network.
      network: A text that identifies the network.
      directory: The directory of the cache; it is created if it is missing.
      batch_size: The number of images that are computed together.
      dtype: "float32", or "float16" for half the space.

    Raises:
      UserError: An image is broken, and `images` does not skip such images, or the cache cannot be
        written.
    """
    parts = [_FORMAT, images_digest, weights_digest, network, images.digest, dtype]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    path = Path(directory) / f"{digest}.npy"
    if not _is_intact(path):
        with explain_write_errors(path, CACHE_REMEDY):
            path.parent.mkdir(parents=True, exist_ok=True)
            _clear_abandoned(path)
            part = path.with_name(f"{digest}.{socket.gethostname()}.{os.getpid()}.part")
            try:
                _compute(compute, images, part, batch_size, dtype)
                # The features last: where their file exists, all is there.
                record = {"broken": sorted(images.broken), "crc32c": crc32c_of(part)}
                atomic_write(path.with_suffix(".json"), json.dumps(seal(record)).encode())
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
    broken = set(read_json_object(path.with_suffix(".json"))["broken"])
    for index in sorted(broken):
        images.get(index)  # Log or raise the error, as when the features were computed.
    return CachedFeatures(np.load(path, mmap_mode="r"), broken, digest)


def _is_intact(path: Path) -> bool:
    """Return whether the features exist and are as they were written; log a warning if not."""
    if not path.exists():
        return False
    record_file = path.with_suffix(".json")
    try:
        record = read_json_object(record_file)
        verify_seal(record, str(record_file))
        if record["crc32c"] != crc32c_of(path):
            raise UserError(str(path), "differs from what was written")
    except UserError as error:
        _log.warning("computing the features again, because the cache is damaged: %s", error)
        return False
    return True


def _compute(
    compute: Callable[[np.ndarray], np.ndarray],
    images: DecodedImages | ImageVariants,
    part: Path,
    batch_size: int,
    dtype: str,
) -> None:
    started = time.monotonic()
    features = None
    with progress_bar("Computing features", len(images)) as show:
        for start, (batch, _) in zip(
            range(0, len(images), batch_size), image_batches(images, batch_size), strict=True
        ):
            computed = np.asarray(compute(batch["image"]))
            if features is None:
                shape = (len(images), *computed.shape[1:])
                features = np.lib.format.open_memmap(part, "w+", np.dtype(dtype), shape)
                _reserve(part)
            end = min(start + batch_size, len(images))
            features[start:end] = computed[: end - start]
            show(end)
    assert features is not None, "no images"
    features[sorted(images.broken)] = 0
    features.flush()
    _log.info(
        "computed the features of %s images in %.0f s, %s MB",
        f"{len(images):,}",
        time.monotonic() - started,
        f"{features.nbytes / 1e6:,.0f}",
    )


def _reserve(path: Path) -> None:
    """Reserve the space of a file, because a full disk kills a process that writes to a mapping."""
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _clear_abandoned(path: Path) -> None:
    """Remove partial files of computations that were killed on this host."""
    for part in path.parent.glob(f"{path.stem}.{socket.gethostname()}.*.part"):
        try:
            os.kill(int(part.suffixes[-2][1:]), 0)  # Raises if there is no such process.
        except ProcessLookupError:
            part.unlink(missing_ok=True)
