"""The folder for what can be made again: compiled programs, prepared texts, downloads."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """A folder in $SEQ2SEQ_JAX_CACHE or, if that is not set, the user's cache folder."""
    if root := os.environ.get("SEQ2SEQ_JAX_CACHE"):
        return Path(root) / name
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seq2seq_jax" / name
