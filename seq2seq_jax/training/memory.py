"""How much memory training takes, and what to do when there is not enough."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import jax

from seq2seq_jax.utils.errors import UserError


def peak_memory() -> str:
    """The most memory used so far, by this process and by its first accelerator."""
    unit = 1 if sys.platform == "darwin" else 1024
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    text = f"{host / 1e9:.2f} GB"
    stats = jax.local_devices()[0].memory_stats() or {}  # the CPU has none
    if "peak_bytes_in_use" in stats:
        text += f", {stats['peak_bytes_in_use'] / 1e9:.2f} GB on each device"
    return text


@contextmanager
def explain_out_of_memory() -> Iterator[None]:
    """Turns running out of memory into a line that says what would help."""
    try:
        yield
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if isinstance(error, jax.errors.JaxRuntimeError) and not _is_out_of_memory(error):
            raise
        raise UserError(
            "batch_size",
            "out of memory; a smaller batch_size (or batch_tokens), more"
            " gradient_accumulation_steps, remat=true, dtype=bfloat16, or a smaller"
            " source.max_seq_len or target.max_seq_len would do",
        ) from error


def _is_out_of_memory(error: Exception) -> bool:
    return "RESOURCE_EXHAUSTED" in str(error) or "Out of memory" in str(error)
