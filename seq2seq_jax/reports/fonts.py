"""Fonts for texts in any script, from those that are installed.

DejaVu Sans, which matplotlib contains, has Latin, Greek, Cyrillic, Arabic and Hebrew. For other
scripts the installed fonts are searched, once per process.
"""

import functools
import logging
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

_log = logging.getLogger(__name__)


class Fonts(NamedTuple):
    """The fonts for a set of texts.

    Attributes:
      families: Font families, which are tried in this order for each character.
      missing: The characters that none of them has.
    """

    families: list[str]
    missing: frozenset[str]

    def label(self, text: str) -> str:
        """Return a text that can be drawn: □ for missing characters, ␣ for white space.

        Args:
          text: The text.
        """
        if text.isspace():
            return "␣"
        return "".join(_replacement(char) if char in self.missing else char for char in text)


def choose_fonts(texts: Iterable[str]) -> Fonts:
    """Choose fonts that have the characters of some texts.

    Scripts without an installed font are logged once per process.

    Args:
      texts: The texts.
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
    return Fonts(families, frozenset(missing))


_BASIC = "DejaVu Sans"
_warned: set[str] = set()


class _Font(NamedTuple):
    path: str
    family: str
    plain: bool  # An upright sans serif of normal weight.
    characters: np.ndarray  # Sorted code points.


@functools.cache
def _installed_fonts() -> list[_Font]:
    """List all installed fonts that matplotlib can draw."""
    from matplotlib.font_manager import findSystemFonts
    from matplotlib.ft2font import FT2Font

    fonts = []
    for path in sorted(findSystemFonts()):
        try:
            face = FT2Font(path)
        except (RuntimeError, OSError):  # Not a font, or a damaged one.
            continue
        if face.scalable:  # Color emoji are bitmaps, which it cannot scale.
            plain = face.style_name in ("Regular", "Book") and "Sans " in f"{face.family_name} "
            fonts.append(_Font(path, face.family_name, plain, _characters(path)))
    return fonts


@functools.cache
def _characters(path: str) -> np.ndarray:
    from matplotlib.ft2font import FT2Font

    return np.sort(np.fromiter(FT2Font(path).get_charmap(), np.int32))


def _without(chars: set[str], characters: np.ndarray) -> set[str]:
    """Return the characters that a font does not have."""
    ordered = sorted(chars)
    has = np.isin(np.fromiter(map(ord, ordered), np.int32), characters)
    return {char for char, found in zip(ordered, has, strict=True) if not found}


def _register(path: str) -> None:
    """Register a font that was installed after matplotlib built its list."""
    from matplotlib.font_manager import fontManager

    if all(entry.fname != path for entry in fontManager.ttflist):
        fontManager.addfont(path)


def _replacement(char: str) -> str:
    # Joiners and variation selectors change their neighbors, and have no glyph.
    return "" if unicodedata.category(char) in ("Cf", "Mn", "Cc") else "□"


def _warn_once(missing: set[str]) -> None:
    from fontTools import unicodedata as scripts  # A dependency of matplotlib.

    def script(char: str) -> str:
        name = scripts.script_name(scripts.script(char))
        return "symbols" if name in ("Common", "Inherited", "Unknown") else name

    names = {script(char) for char in missing if _replacement(char)}
    new = sorted(names - _warned)
    if new:
        _warned.update(new)
        _log.warning(
            "No installed font has %s; plots show boxes instead (the Noto fonts have most scripts)",
            ", ".join(new),
        )
