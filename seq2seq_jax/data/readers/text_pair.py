"""One example as text."""

from typing import NamedTuple


class TextPair(NamedTuple):
    """A source and its target, each a line of text."""

    source: str
    target: str
