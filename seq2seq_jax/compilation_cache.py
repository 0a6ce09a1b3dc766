"""What was compiled once is read from disk the next time."""

import os

import jax

from seq2seq_jax.user_cache import cache_folder


def enable_compilation_cache() -> None:
    """Turns JAX's persistent cache on, in the user's cache folder; JAX_COMPILATION_CACHE_DIR, if it
    is set, says where instead (empty: nowhere)."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder("compiled")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
