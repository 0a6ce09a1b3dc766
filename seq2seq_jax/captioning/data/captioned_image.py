"""One picture with what is said of it."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from seq2seq_jax.captioning.data.images import MAX_PIXELS, read_image_file


class CaptionedImage(NamedTuple):
    """A picture, not read yet, and its captions.

    Attributes:
      name: says where it is, to people: a file, or `FILE record N`.
      read: returns the bytes of the encoded picture, afresh at each call, from any thread.
      captions: texts; several if several people described it, none if nobody did.
    """

    name: str
    read: Callable[[], bytes]
    captions: list[str]


def picture_file(
    path: str, captions: Iterable[str] = (), *, max_pixels: int = MAX_PIXELS
) -> CaptionedImage:
    """A file as a picture."""
    return CaptionedImage(path, partial(read_image_file, path, max_pixels=max_pixels), [*captions])
