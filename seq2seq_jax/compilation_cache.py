"""What was compiled once is read from disk the next time."""

import os
from pathlib import Path

import jax


def enable_compilation_cache() -> None:
    """Turns JAX's persistent cache on, in the user's cache folder; JAX_COMPILATION_CACHE_DIR, if it
    is set, says where instead (empty: nowhere)."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(cache / "seq2seq_jax" / "compiled"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
