"""The user's cache directory: compiled programs, tokenized corpora, downloads."""

import atexit
import logging
import os
import shutil
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path

from seq2seq_jax.utils.file_errors import explain_write_errors, reason

CACHE_REMEDY = "free some space, or set SEQ2SEQ_JAX_CACHE to a directory on another disk"
"""What to do if a file in the cache cannot be written."""

_log = logging.getLogger(__name__)


def cache_dir(name: str) -> Path:
    """Return the subdirectory `name` of a cache that can be written; it may not exist yet.

    If nothing can be written in the user's cache directory, a warning is logged, and a temporary
    directory takes its place until this process ends. Everything in it can be created again.

    Args:
      name: The subdirectory.

    Raises:
      UserError: Neither the user's cache directory nor a temporary directory can be written.
    """
    environment = (os.environ.get(key) for key in ("SEQ2SEQ_JAX_CACHE", "XDG_CACHE_HOME", "HOME"))
    return _writable_root(*environment) / name


def persistent_cache_dir() -> Path:
    """Return the user's cache directory, which may not exist or may not be writable.

    It is `$SEQ2SEQ_JAX_CACHE` or, if that is not set, `seq2seq_jax` in `$XDG_CACHE_HOME` or
    `~/.cache`.

    Raises:
      RuntimeError: There is no home directory.
    """
    if own := os.environ.get("SEQ2SEQ_JAX_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seq2seq_jax"


def enable_compilation_cache() -> None:
    """Keep compiled programs in the cache directory, so that later processes load them.

    The setting is passed on in environment variables, which JAX reads when it is imported, so that
    this function need not import it. `JAX_COMPILATION_CACHE_DIR`, if it is set, names another
    directory (empty: no cache).
    """
    # A program that cannot be stored or read is compiled again.
    warnings.filterwarnings(
        "ignore", message="Error (reading|writing) persistent compilation cache"
    )
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache_dir("compiled"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
    if "jax" in sys.modules:
        import jax

        jax.config.update("jax_compilation_cache_dir", str(cache_dir("compiled")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


@cache
def _writable_root(*environment: str | None) -> Path:
    """Return the user's cache directory or a temporary one; `environment` decides it."""
    where = "the cache directory"
    try:
        root = persistent_cache_dir()
        where = str(root)
        root.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=root).close()
        return root
    except (OSError, RuntimeError) as error:
        _log.warning(
            "%s cannot be used (%s); using a temporary directory instead. Set SEQ2SEQ_JAX_CACHE to"
            " a directory that you may write to.",
            where,
            reason(error),
        )
    with explain_write_errors(tempfile.gettempdir()):
        temporary = tempfile.mkdtemp(prefix="seq2seq_jax_")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return Path(temporary)
