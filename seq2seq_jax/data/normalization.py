"""How the characters of a text are written: Unicode normalization forms, case, grapheme clusters.

One character can be written in several ways: "é" is one code point in the composed form NFC, and a
letter with a combining accent in the decomposed form NFD. A Korean syllable is one code point in
NFC, and two or three letters (jamo) in NFD. The forms NFKC and NFKD also replace compatibility
characters, such as "ﬁ" by "fi" and "ʰ" by "h" (Unicode Standard Annex #15).
"""

import functools
import unicodedata
from collections.abc import Callable

FORMS = ("", "none", "NFC", "NFD", "NFKC", "NFKD")
"""The values of `source.normalization` and `target.normalization`."""


def normalizes(form: str) -> bool:
    """Return whether a value of `FORMS` changes texts.

    Args:
      form: A value of `FORMS`.
    """
    return form not in ("", "none")


def normalize(text: str, form: str = "", lowercase: bool = False) -> str:
    """Return a text as a model reads it.

    Args:
      text: The text.
      form: A value of `FORMS`.
      lowercase: Lower-case the text first.

    Example:
      >>> len(normalize("각", "NFD")), normalize("É", "NFC", lowercase=True)
      (3, 'é')
    """
    if lowercase:
        text = text.lower()
    return unicodedata.normalize(form, text) if normalizes(form) else text  # type: ignore[arg-type]


def recompose(text: str, form: str) -> str:
    """Return an output as people read it: in NFC, if the model's texts are normalized.

    Two texts in NFC can have a concatenation that is not, so this takes whole texts.

    Args:
      text: A text of joined tokens.
      form: A value of `FORMS`, that of the tokens.

    Example:
      >>> recompose("".join(["e", "\u0301"]), "NFD") == "\u00e9"
      True
    """
    return unicodedata.normalize("NFC", text) if normalizes(form) else text


def grapheme_clusters(text: str) -> list[str]:
    r"""Divide a text into extended grapheme clusters, `\X` of Unicode Standard Annex #29.

    A letter and the combining marks that follow it are one cluster. A phone is not always one: the
    affricate "t͡ʃʰ" is three clusters, because a tie bar joins to the left only and "ʰ" is a letter.

    Args:
      text: The text.

    Example:
      >>> [len(cluster) for cluster in grapheme_clusters("e\u0301a")]
      [2, 1]
    """
    return _find_clusters()(text)


@functools.cache
def _find_clusters() -> Callable[[str], list[str]]:
    import regex  # takes 30 ms

    find: Callable[[str], list[str]] = regex.compile(r"\X").findall
    return find
