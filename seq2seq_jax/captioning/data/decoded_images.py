"""Images as pixels of one size, decoded when they are needed, and kept if there is memory."""

import logging
import threading
from collections.abc import Sequence

import numpy as np

from seq2seq_jax.captioning.data.captioned_image import CaptionedImage
from seq2seq_jax.captioning.data.images import MAX_PIXELS, load_image
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)


class DecodedImages:
    """M images, each [height, width, 3] uint8.

    Attributes:
      batch_key: The key of such images in a batch.
      shape: (height, width, 3).
      digest: Identifies how the images are made.
      broken: The indices of the images that were found broken and are skipped, so far.
    """

    batch_key = "image"
    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        examples: Sequence[CaptionedImage],
        height: int,
        width: int,
        *,
        on_error: str = "fail",
        max_pixels: int = MAX_PIXELS,
        keep_bytes: int = 1 << 30,
    ) -> None:
        """Decode nothing yet.

        Args:
          examples: The images.
          height: The height in pixels to which they are resized.
          width: The width in pixels to which they are resized.
          on_error: "fail", or "skip": skip broken images, with a line in the log.
          max_pixels: Larger images cannot be used.
          keep_bytes: If all images fit into this much memory, each is decoded only once.
        """
        self._examples, self._on_error, self._max_pixels = examples, on_error, max_pixels
        self.shape: tuple[int, ...] = height, width, 3
        self.digest = f"{height}x{width}"
        self.broken: set[int] = set()
        self._kept: dict[int, np.ndarray] = {}
        self._keep = len(examples) * height * width * 3 <= keep_bytes
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._examples)

    def get(self, index: int) -> np.ndarray | None:
        """Return an image, or None if it is broken and skipped. Threads may call this.

        Args:
          index: The index of the image.

        Returns:
          [height, width, 3] uint8.

        Raises:
          UserError: It is broken, and `on_error` is "fail".
        """
        image = self._kept.get(index)
        if image is not None or index in self.broken:
            return image
        example = self._examples[index]
        try:
            height, width, _ = self.shape
            image = load_image(
                example.read(), example.name, height, width, max_pixels=self._max_pixels
            )
        except UserError as error:
            if self._on_error == "fail":
                raise
            self._skip(index, error)
            return None
        if self._keep:
            self._kept[index] = image
        return image

    def _skip(self, index: int, error: UserError) -> None:
        with self._lock:
            if index not in self.broken:
                self.broken.add(index)
                _log.warning("skipped broken image %d: %s", len(self.broken), error)
