"""Features of a target, such as `V;PST`: how a text of features becomes a set of symbols."""

import dataclasses
import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

MAX_DEPTH = 8
"""Brackets that are nested more deeply than this count as unbalanced."""


@dataclasses.dataclass(frozen=True)
class FeatureBundle:
    """The features of one example.

    Attributes:
      symbols: Distinct symbols in the order of their code points, so that the order in which the
        features were written does not matter.
      repeated: How many features occurred again.
      unbalanced: Whether brackets do not match; then they are ordinary characters.
    """

    symbols: tuple[str, ...]
    repeated: int = 0
    unbalanced: bool = False


def parse_features(text: str, delimiter: str = ";") -> FeatureBundle:
    """Parse a text of features.

    Features in brackets, as in the nested schema of UniMorph 4, become one symbol for the feature
    before the brackets and one for each path: `NOM(1,PL)` becomes `NOM`, `NOM(1)` and `NOM(PL)`.
    Inside brackets a comma, a semicolon or the delimiter separates features. Delimiters inside
    `[...]` and `{...}` belong to the feature. White space around features, and empty features, do
    not count.

    Args:
      text: The features.
      delimiter: What separates them.

    Returns:
      The symbols.

    Example:
      >>> parse_features("V;PST").symbols
      ('PST', 'V')
      >>> parse_features("N;NOM(1,PSS(PL))").symbols
      ('N', 'NOM', 'NOM(1)', 'NOM(PSS(PL))', 'NOM(PSS)')
    """
    items = _split(text, (delimiter,))
    unbalanced = items is None
    if items is None:
        items = [part for part in map(str.strip, text.split(delimiter)) if part]
        symbols = set(items)
    else:
        symbols = {symbol for item in items for symbol in _flatten(item, delimiter)}
    return FeatureBundle(tuple(sorted(symbols)), len(items) - len(set(items)), unbalanced)


@dataclasses.dataclass(frozen=True)
class FeaturesTokenizer:
    """Splits a text of features into symbols, see `parse_features`; a `tokenizers.Tokenizer`.

    Attributes:
      delimiter: What separates features.
    """

    delimiter: str = ";"

    def parse(self, text: str) -> FeatureBundle:
        """Return the features of a text with what was odd about them."""
        parse = _parse_cached if len(text) < 1000 else parse_features
        return parse(text, self.delimiter)

    def split(self, text: str) -> list[str]:
        """Return the distinct symbols of a text in a fixed order."""
        return list(self.parse(text).symbols)

    def join(self, tokens: Iterable[str]) -> str:
        """Return the symbols with the delimiter between them."""
        return self.delimiter.join(tokens)

    def digest(self) -> str:
        """Return hexadecimal digits that differ if any text may be split differently."""
        return hashlib.sha256(repr(("features", self.delimiter)).encode()).hexdigest()


class FeatureCounts(NamedTuple):
    """What was odd about the features of a corpus.

    Attributes:
      missing: Pairs without any feature.
      repeated: Pairs with a feature that occurs again.
      unbalanced: Pairs whose brackets do not match.
    """

    missing: int = 0
    repeated: int = 0
    unbalanced: int = 0

    def add(self, bundle: FeatureBundle) -> "FeatureCounts":
        """Return the counts with one more pair.

        Args:
          bundle: The features of the pair.
        """
        return FeatureCounts(
            self.missing + (not bundle.symbols),
            self.repeated + (bundle.repeated > 0),
            self.unbalanced + bundle.unbalanced,
        )


_parse_cached = lru_cache(maxsize=1 << 16)(parse_features)  # A corpus has few different bundles.

_NESTED = re.compile(r"([^()]*)\((.*)\)", re.DOTALL)


def _flatten(item: str, delimiter: str) -> list[str]:
    """Return the symbols of one balanced feature."""
    match = _NESTED.fullmatch(item)
    inner = _split(match[2], (",", ";", delimiter)) if match else None
    if match is None or inner is None:  # As in "(A)(B)", whose outer brackets are no pair.
        return [item]
    head = match[1].strip()
    below = [f"{head}({symbol})" for part in inner for symbol in _flatten(part, delimiter)]
    return [head, *below] if head else below


def _split(text: str, delimiters: tuple[str, ...]) -> list[str] | None:
    """Split at delimiters outside of all brackets; None if the brackets do not match."""
    items, depth, start, position = [], 0, 0, 0
    while position < len(text):
        character = text[position]
        found = "" if depth else next((d for d in delimiters if text.startswith(d, position)), "")
        if found:
            items.append(text[start:position])
            position += len(found)
            start = position
            continue
        depth += (character in "([{") - (character in ")]}")
        if not 0 <= depth <= MAX_DEPTH:
            return None
        position += 1
    items.append(text[start:])
    return None if depth else [item for item in map(str.strip, items) if item]
