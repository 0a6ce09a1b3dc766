"""Measure this package once: `python -m benchmarks.ours B:train:64 [--kernels reference]`.

The compilation cache is not used unless JAX_COMPILATION_CACHE_DIR is set: `warm_s` and
`peak_rss_mb` include compilation.
"""

import argparse
import sys
from typing import Any

import jax

from benchmarks.cases import CASES
from benchmarks.decoding import measure_decoding
from benchmarks.matmul import matmul_gflops
from benchmarks.timing import peak_rss_mb
from benchmarks.training import make_model, measure_training
from benchmarks.work import Work, measure_one
from seq2seq_jax.devices.memory import tune_malloc
from seq2seq_jax.models.build import init_params
from seq2seq_jax.ops.kernels import KERNELS, use_kernels

NAME = "seq2seq_jax"


def measure(work: Work) -> dict[str, Any]:
    """Measure training or decoding, and the machine's fastest matrix product.

    Args:
      work: The measurement.
    """
    results = measure_training(work) if work.mode == "train" else measure_decoding(work)
    results["peak_rss_mb"] = peak_rss_mb()  # Before the matrices below.
    results["matmul_gflops"] = round(matmul_gflops(), 1)
    if work.mode == "train":
        results["utilisation"] = utilisation(results, results["matmul_gflops"])
    model = make_model(CASES[work.case])
    params = jax.eval_shape(lambda: init_params(model, seed=0))
    return {**results, "params": sum(leaf.size for leaf in jax.tree.leaves(params))}


def utilisation(results: dict[str, Any], gflops: float) -> float:
    """Return the speed of a training step as a share of the fastest matrix product.

    Args:
      results: The results of the training step.
      gflops: The speed of the fastest matrix product, in 1e9 operations per second.
    """
    return round(results["step_gflop"] / (results["step_ms_median"] / 1e3) / gflops, 3)


if __name__ == "__main__":
    tune_malloc()
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--kernels", choices=KERNELS, default="fast")
    chosen, sys.argv[1:] = parser.parse_known_args()
    with use_kernels(chosen.kernels):
        measure_one(NAME, measure)
