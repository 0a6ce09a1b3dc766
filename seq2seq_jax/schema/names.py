"""Names as people write them: documented prefixes, and suggestions for misspelled names."""

import difflib
from collections.abc import Iterable

OWN_PREFIXES = ("seq2seq", "seq2seq_jax", "tensorflow", "tf")
"""The prefixes under which names are documented, here and in google/seq2seq; never imported."""

_EMPTY = '""'
_MAX_CHOICES = 24


def short_name(name: str) -> str:
    """Strip the documented prefix of a class name; keep the path of a user's own class.

    Example:
      >>> short_name("seq2seq.encoders.BidirectionalRNNEncoder")
      'BidirectionalRNNEncoder'
      >>> short_name("mine.MyEncoder")
      'mine.MyEncoder'
    """
    parts = name.split(".")
    return parts[-1] if parts[0] in OWN_PREFIXES else name


def describe_unknown(kind: str, name: str, valid: Iterable[str]) -> str:
    """Describe an unknown name, the nearest valid name first.

    Args:
      kind: What the name stands for, such as "encoder".
      name: The unknown name.
      valid: All valid names.

    Returns:
      `unknown KIND NAME, did you mean NEAREST? valid: ...`.
    """
    valid = list(valid)
    hint = did_you_mean(name, valid) or ";"
    return f"unknown {kind} {name or _EMPTY}{hint} valid: {format_choices(valid)}"


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return `, did you mean NEAREST?`, or an empty text if no valid name is near."""
    by_lower = {candidate.lower(): candidate for candidate in valid}
    name = short_name(name).lower()
    begun = [candidate for candidate in by_lower if name and candidate.startswith(name)]
    near = difflib.get_close_matches(name, by_lower, n=1, cutoff=0.5) or begun
    return f", did you mean {by_lower[near[0]]}?" if near else ""


def format_choices(names: Iterable[str]) -> str:
    """Join names with commas for a sentence; show the empty name as `""`.

    Of a long list only the first names are shown, and the number of the others.
    """
    shown = [name or _EMPTY for name in names]
    if len(shown) > _MAX_CHOICES:
        shown[_MAX_CHOICES:] = [f"and {len(shown) - _MAX_CHOICES} more"]
    return ", ".join(shown) or "none"


def quote_value(value: object) -> str:
    """Return a value as error messages show it: text in quotes, and long values shortened.

    Example:
      >>> quote_value("a"), quote_value(10**99)
      ('"a"', '10000000000000000000...0000000000 (100 characters)')
    """
    try:
        text = f'"{value}"' if isinstance(value, str) else repr(value)
    except ValueError:  # Python does not write out integers of thousands of digits.
        return "an integer of thousands of digits"
    return text if len(text) <= 80 else f"{text[:20]}...{text[-10:]} ({len(text)} characters)"
