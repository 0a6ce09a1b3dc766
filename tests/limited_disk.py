"""A disk on which nothing more can be written, for the process of the tests."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import jax
from jax.experimental.compilation_cache import compilation_cache


@contextmanager
def limited_disk(size: int = 0) -> Iterator[None]:
    """Let every write fail that would make a file larger than `size` bytes.

    The operating system then reports EFBIG, from Python as well as from the libraries, as it
    reports ENOSPC if the disk is full. JAX keeps no compiled programs meanwhile: it would keep
    parts of them, and warn whenever it reads them.
    """
    _keep_programs(False)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        _keep_programs(True)


def _keep_programs(keep: bool) -> None:
    jax.config.update("jax_enable_compilation_cache", keep)
    compilation_cache.reset_cache()  # It asks for the setting only once.
