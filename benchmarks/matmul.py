"""The machine's limit."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.timing import timed


def matmul_gflops(size: int = 2048, seconds: float = 2) -> float:
    """1e9 operations a second in a product of two float32 matrices, the best of many, by JAX or by
    numpy's BLAS, whichever is faster."""
    a = np.random.default_rng(0).standard_normal((size, size), np.float32)
    on_device, product = jnp.asarray(a), jax.jit(jnp.matmul)
    ways: list[Callable[[], Any]] = [
        lambda: product(on_device, on_device).block_until_ready(),
        lambda: a @ a,
    ]
    return max(2 * size**3 / min(timed(way, seconds / 2).wall) / 1e9 for way in ways)
