"""The user's cache directory: compiled programs, tokenized corpora, downloads."""

import os
import sys
from pathlib import Path


def cache_dir(name: str) -> Path:
    """Return the subdirectory `name` of the cache directory; it may not exist yet.

    The cache directory is `$SEQ2SEQ_JAX_CACHE` or, if that is not set, `seq2seq_jax` in
    `$XDG_CACHE_HOME` or `~/.cache`. Everything in it can be created again.

    Args:
      name: The subdirectory.
    """
    if root := os.environ.get("SEQ2SEQ_JAX_CACHE"):
        return Path(root) / name
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seq2seq_jax" / name


def enable_compilation_cache() -> None:
    """Keep compiled programs in the cache directory, so that later processes load them.

    The setting is passed on in environment variables, which JAX reads when it is imported, so that
    this function need not import it. `JAX_COMPILATION_CACHE_DIR`, if it is set, names another
    directory (empty: no cache).
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache_dir("compiled"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
    if "jax" in sys.modules:
        import jax

        jax.config.update("jax_compilation_cache_dir", str(cache_dir("compiled")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
