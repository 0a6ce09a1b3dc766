"""An image with its captions."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from seq2seq_jax.captioning.data.images import MAX_PIXELS, read_image_file


class CaptionedImage(NamedTuple):
    """An image that has not been read yet, and its captions.

    Attributes:
      name: The place of the image, for errors and pages: a file, or `FILE record N`.
      read: Returns the bytes of the encoded image; reads them at each call, from any thread.
      captions: Texts; several if several people described the image, none if nobody did.
    """

    name: str
    read: Callable[[], bytes]
    captions: list[str]


def captioned_file(
    path: str, captions: Iterable[str] = (), *, max_pixels: int = MAX_PIXELS
) -> CaptionedImage:
    """Return an image file with its captions.

    Args:
      path: The file; it is read later.
      captions: Its captions.
      max_pixels: The largest image that is accepted.

    Example:
      >>> captioned_file("cat.png", ["a cat"]).captions
      ['a cat']
    """
    return CaptionedImage(path, partial(read_image_file, path, max_pixels=max_pixels), [*captions])
