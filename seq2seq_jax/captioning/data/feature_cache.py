"""What a frozen network makes of pictures, computed once and kept on disk.

A frozen network gives the same features for a picture in every epoch, and computing them is nearly
all that captioning costs. So they are computed once, into one array that is mapped into memory:

  DIGEST.npy   [M, cells, C], in the order of the pictures
  DIGEST.json  the indices of pictures that are broken; their features are zeros

DIGEST names everything that they depend on: the bytes of the pictures, their size, the network's
weights and the block that was read.
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
from seq2seq_jax.utils.logging import progress_bar

_log = logging.getLogger(__name__)

_FORMAT = 1


class CachedFeatures:
    """M pictures, each [cells, C].

    Attributes:
      features: [M, cells, C], mapped into memory.
      broken: indices of the pictures that are passed over.
    """

    batch_key = "image_features"

    def __init__(self, features: np.ndarray, broken: set[int], digest: str):
        self.features, self.broken, self.digest = features, broken, digest
        self.shape: tuple[int, ...] = features.shape[1:]
        self.dtype = features.dtype

    def __len__(self) -> int:
        return len(self.features)

    def get(self, index: int) -> np.ndarray | None:
        """[cells, C]; None if the picture is broken and passed over."""
        return None if index in self.broken else self.features[index]


def cached_features(
    compute: Callable[[np.ndarray], np.ndarray],
    images: DecodedImages | ImageVariants,
    *,
    images_digest: str,
    weights_digest: str,
    block: str,
    folder: str | os.PathLike,
    batch_size: int = 32,
    dtype: str = "float32",
) -> CachedFeatures:
    """Finds the features of pictures, or computes them.

    A computation that is killed leaves nothing that is found later; two at once do not harm each
    other.

    Args:
      compute: [batch_size, H, W, 3] uint8 to [batch_size, cells, C]; the same for a picture
        whatever else is in the batch. The last batch is filled up with zeros.
      images: M of them.
      images_digest: of the bytes of these pictures.
      weights_digest: of the network's weights, and of whatever else its outputs depend on.
      block: the layer that is read.
      folder: where features are kept; made if it is missing.
      dtype: "float32", or "float16" for half the room.

    Raises:
      UserError: a picture is broken, and `images` does not pass over such ones.
    """
    parts = [_FORMAT, images_digest, weights_digest, block, images.digest, dtype]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    path = Path(folder) / f"{digest}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(path)
        part = path.with_name(f"{digest}.{socket.gethostname()}.{os.getpid()}.part")
        try:
            _compute(compute, images, part, batch_size, dtype)
            # First what is wrong, then the features, whose name says that all is there.
            atomic_write(path.with_suffix(".json"), json.dumps(sorted(images.broken)).encode())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    broken = set(json.loads(path.with_suffix(".json").read_text()))
    for index in sorted(broken):
        images.get(index)  # says what is wrong with it, or fails, as when it was computed
    return CachedFeatures(np.load(path, mmap_mode="r"), broken, digest)


def _compute(
    compute: Callable[[np.ndarray], np.ndarray],
    images: DecodedImages | ImageVariants,
    part: Path,
    batch_size: int,
    dtype: str,
) -> None:
    started = time.monotonic()
    features = None
    with progress_bar("computing features", len(images)) as show:
        for start, (batch, _) in zip(
            range(0, len(images), batch_size), image_batches(images, batch_size), strict=True
        ):
            computed = np.asarray(compute(batch["image"]))
            if features is None:
                shape = (len(images), *computed.shape[1:])
                features = np.lib.format.open_memmap(part, "w+", np.dtype(dtype), shape)
            end = min(start + batch_size, len(images))
            features[start:end] = computed[: end - start]
            show(end)
    assert features is not None, "no pictures"
    features[sorted(images.broken)] = 0
    features.flush()
    _log.info(
        "computed the features of %s pictures in %.0f s, %s MB",
        f"{len(images):,}",
        time.monotonic() - started,
        f"{features.nbytes / 1e6:,.0f}",
    )


def _clear_abandoned(path: Path) -> None:
    """Removes what computations of the same features left that were killed on this machine."""
    for part in path.parent.glob(f"{path.stem}.{socket.gethostname()}.*.part"):
        try:
            os.kill(int(part.suffixes[-2][1:]), 0)  # asks whether the process lives
        except ProcessLookupError:
            part.unlink(missing_ok=True)
