"""Pictures as pixels of one size, decoded when they are needed and kept if there is room."""

import logging
import threading
from collections.abc import Sequence

import numpy as np

from seq2seq_jax.captioning.data.captioned_image import CaptionedImage
from seq2seq_jax.captioning.data.images import MAX_PIXELS, load_image
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)


class DecodedImages:
    """M pictures, each [height, width, 3] uint8.

    Attributes:
      broken: indices of the pictures that were found broken and are passed over, so far.
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
    ):
        """
        Args:
          on_error: "fail", or "skip": what is broken is passed over, with a line in the log.
          keep_bytes: where all pictures fit into so much memory, each is decoded but once.
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
        """[height, width, 3] uint8; None if it is broken and passed over. From any thread.

        Raises:
          UserError: it is broken, and on_error is "fail".
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
            self._pass_over(index, error)
            return None
        if self._keep:
            self._kept[index] = image
        return image

    def _pass_over(self, index: int, error: UserError) -> None:
        with self._lock:
            if index not in self.broken:
                self.broken.add(index)
                _log.warning("passed over, the %d. broken picture: %s", len(self.broken), error)
