"""Names as people write them: dotted prefixes, misspellings, and how both are answered."""

import difflib
from collections.abc import Iterable

# The prefixes under which our names are documented, here and in google/seq2seq.
_OWN_PREFIXES = ("seq2seq", "seq2seq_jax", "tensorflow", "tf")
_EMPTY = '""'


def short_name(name: str) -> str:
    """`seq2seq.encoders.BidirectionalRNNEncoder` -> `BidirectionalRNNEncoder`.

    Any other dotted path is the user's own class and stays as it is.
    """
    parts = name.split(".")
    return parts[-1] if parts[0] in _OWN_PREFIXES else name


def unknown(kind: str, name: str, valid: Iterable[str]) -> str:
    """`unknown KIND NAME, did you mean NEAREST? valid: ...`."""
    valid = list(valid)
    hint = did_you_mean(name, valid) or ";"
    return f"unknown {kind} {name or _EMPTY}{hint} valid: {listing(valid)}"


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """`, did you mean NEAREST?`, or nothing where no valid name is near."""
    by_lower = {candidate.lower(): candidate for candidate in valid}
    name = short_name(name).lower()
    begun = [candidate for candidate in by_lower if name and candidate.startswith(name)]
    near = difflib.get_close_matches(name, by_lower, n=1, cutoff=0.5) or begun
    return f", did you mean {by_lower[near[0]]}?" if near else ""


def listing(names: Iterable[str]) -> str:
    """Names for a sentence; the empty name is shown as `""`."""
    return ", ".join(name or _EMPTY for name in names) or "none"
