"""Fonts for whatever script a text is in: those of the system that have its characters.

matplotlib's own font, DejaVu Sans, has Latin, Greek, Cyrillic, Arabic and Hebrew. For the rest
the installed fonts are looked through, once a process.
"""

import functools
import logging
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

_log = logging.getLogger(__name__)


class Lettering(NamedTuple):
    """What a set of texts is to be drawn with.

    Attributes:
      families: font families, to be tried in this order for each character.
      missing: the characters that none of them has.
    """

    families: list[str]
    missing: frozenset[str]

    def label(self, text: str) -> str:
        """The text as it can be drawn: □ for what no font has, ␣ for a token of white space."""
        if text.isspace():
            return "␣"
        return "".join(_stand_in(char) if char in self.missing else char for char in text)


def lettering(texts: Iterable[str]) -> Lettering:
    """Chooses fonts for texts.

    For scripts that no installed font has, one warning is logged in a process.
    """
    from matplotlib.font_manager import findfont

    needed = {char for text in texts for char in text if not char.isspace()} | {"□", "␣"}
    families = [_BASIC]
    missing = _without(needed, _characters(findfont(_BASIC)))
    while missing:
        best = max(
            _installed_fonts(),
            key=lambda font: (len(missing) - len(_without(missing, font.characters)), font.plain),
            default=None,
        )
        if best is None or len(still_missing := _without(missing, best.characters)) == len(missing):
            break
        _register(best.path)
        families.append(best.family)
        missing = still_missing
    _warn_once(missing)
    return Lettering(families, frozenset(missing))


_BASIC = "DejaVu Sans"
_warned: set[str] = set()


class _Font(NamedTuple):
    path: str
    family: str
    plain: bool  # an upright sans serif of normal weight
    characters: np.ndarray  # code points, sorted


@functools.cache
def _installed_fonts() -> list[_Font]:
    """Every font of the system that matplotlib can draw with."""
    from matplotlib.font_manager import findSystemFonts
    from matplotlib.ft2font import FT2Font

    fonts = []
    for path in sorted(findSystemFonts()):
        try:
            face = FT2Font(path)
        except (RuntimeError, OSError):  # not a font, or a damaged one
            continue
        if face.scalable:  # emoji in colour are pictures, which it cannot scale
            plain = face.style_name in ("Regular", "Book") and "Sans " in f"{face.family_name} "
            fonts.append(_Font(path, face.family_name, plain, _characters(path)))
    return fonts


@functools.cache
def _characters(path: str) -> np.ndarray:
    from matplotlib.ft2font import FT2Font

    return np.sort(np.fromiter(FT2Font(path).get_charmap(), np.int32))


def _without(chars: set[str], characters: np.ndarray) -> set[str]:
    """The characters that a font does not have."""
    ordered = sorted(chars)
    has = np.isin(np.fromiter(map(ord, ordered), np.int32), characters)
    return {char for char, found in zip(ordered, has, strict=True) if not found}


def _register(path: str) -> None:
    """Makes matplotlib know a font that was installed after it had last looked."""
    from matplotlib.font_manager import fontManager

    if all(entry.fname != path for entry in fontManager.ttflist):
        fontManager.addfont(path)


def _stand_in(char: str) -> str:
    # Joiners and variation selectors say how their neighbours look, and are nothing themselves.
    return "" if unicodedata.category(char) in ("Cf", "Mn", "Cc") else "□"


def _warn_once(missing: set[str]) -> None:
    from fontTools import unicodedata as scripts  # of matplotlib's own requirements

    def script(char: str) -> str:
        name = scripts.script_name(scripts.script(char))
        return "symbols" if name in ("Common", "Inherited", "Unknown") else name

    names = {script(char) for char in missing if _stand_in(char)}
    new = sorted(names - _warned)
    if new:
        _warned.update(new)
        _log.warning(
            "no installed font has %s: boxes stand for what is missing in pictures"
            " (the Noto fonts have most scripts)",
            ", ".join(new),
        )
