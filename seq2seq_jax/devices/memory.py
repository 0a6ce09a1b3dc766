"""Host memory: the allocator's settings, the peak usage, and running out of it.

On the CPU, XLA allocates one large block of memory per step and frees it afterwards. By default
glibc returns such a block to the kernel each time, and the kernel clears it page by page when it is
used next, which takes a fifth of a training step. `tune_malloc` makes glibc keep the memory and use
huge pages.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from seq2seq_jax.utils.errors import UserError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_TUNABLES = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736"


def tune_malloc() -> None:
    """Restart the interpreter with settings that make glibc keep freed memory.

    glibc reads GLIBC_TUNABLES only when a process starts. Therefore this function sets the variable
    and replaces the process with a new one that runs the same command. It must be called first,
    before anything is imported that takes time.

    It does nothing outside Linux, if GLIBC_TUNABLES is already set, or if the environment variable
    SEQ2SEQ_JAX_NO_RESTART is set to anything (`SEQ2SEQ_JAX_NO_RESTART=1`).
    """
    disabled = bool(os.environ.get("SEQ2SEQ_JAX_NO_RESTART"))
    if sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ and not disabled:
        os.environ["GLIBC_TUNABLES"] = _TUNABLES
        os.execv(sys.executable, sys.orig_argv)


def peak_memory() -> str:
    """Return the peak memory of this process and of its first accelerator as text.

    Where the operating system does not report it, the text says so.
    """
    import jax

    text = "not reported by this system"
    if resource is not None:
        unit = 1 if sys.platform == "darwin" else 1024
        text = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9:.1f} GB"
    stats = jax.local_devices()[0].memory_stats() or {}  # None on the CPU
    if "peak_bytes_in_use" in stats:
        text += f", {stats['peak_bytes_in_use'] / 1e9:.1f} GB per device"
    return text


@contextmanager
def explain_out_of_memory() -> Iterator[None]:
    """Replace an out-of-memory error by one line that names the settings that reduce memory.

    Raises:
      UserError: The block ran out of host or device memory.
    """
    import jax

    try:
        yield
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if isinstance(error, jax.errors.JaxRuntimeError) and not _is_out_of_memory(error):
            raise
        raise UserError(
            "batch_size",
            "out of memory; use a smaller batch_size (or batch_tokens), more"
            " gradient_accumulation_steps, remat=true, dtype=bfloat16, or a smaller"
            " source.max_seq_len or target.max_seq_len",
        ) from error


def _is_out_of_memory(error: Exception) -> bool:
    return "RESOURCE_EXHAUSTED" in str(error) or "Out of memory" in str(error)
