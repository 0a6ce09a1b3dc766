"""The fastest matrix product of the machine, to which training steps are compared."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.timing import time_runs


def matmul_gflops(size: int = 2048, seconds: float = 2) -> float:
    """Measure the fastest product of two float32 matrices, by JAX or by numpy's BLAS.

    Args:
      size: The number of rows and columns.
      seconds: The seconds of the measurement.

    Returns:
      1e9 floating-point operations per second.
    """
    a = np.random.default_rng(0).standard_normal((size, size), np.float32)
    on_device, product = jnp.asarray(a), jax.jit(jnp.matmul)
    ways: list[Callable[[], Any]] = [
        lambda: product(on_device, on_device).block_until_ready(),
        lambda: a @ a,
    ]
    return max(2 * size**3 / min(time_runs(way, seconds / 2).wall) / 1e9 for way in ways)
