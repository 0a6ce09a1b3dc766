"""One picture with what is said of it."""

from collections.abc import Callable
from typing import NamedTuple


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
