"""The user's cache directory: compiled programs, tokenized corpora, downloads."""

import os
from pathlib import Path


def cache_dir(name: str) -> Path:
    """Return the subdirectory `name` of the cache directory; it may not exist yet.

    The cache directory is `$SEQ2SEQ_JAX_CACHE` or, if that is not set, `seq2seq_jax` in
    `$XDG_CACHE_HOME` or `~/.cache`. Everything in it can be made again.
    """
    if root := os.environ.get("SEQ2SEQ_JAX_CACHE"):
        return Path(root) / name
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seq2seq_jax" / name


def enable_compilation_cache() -> None:
    """Keep compiled programs in the cache directory, so that later processes load them.

    `JAX_COMPILATION_CACHE_DIR`, if it is set, names another directory (empty: no cache).
    """
    import jax

    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(cache_dir("compiled")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
