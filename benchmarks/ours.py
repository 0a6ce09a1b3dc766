"""One measurement of this package: `python -m benchmarks.ours B:train:64`.

Nothing is read from the compilation cache unless JAX_COMPILATION_CACHE_DIR is set: `warm_s` and
`peak_rss_mb` hold the compiling.
"""

from typing import Any

import jax

from benchmarks.cases import CASES
from benchmarks.decoding import measure_decoding
from benchmarks.matmul import matmul_gflops
from benchmarks.timing import peak_rss_mb
from benchmarks.training import make_model, measure_training
from benchmarks.work import Work, measure_one
from seq2seq_jax.devices.malloc_tuning import tune_malloc
from seq2seq_jax.models.build import init_params

NAME = "seq2seq_jax"


def measure(work: Work) -> dict[str, Any]:
    """The results of a measurement, the machine's limit, and the share of it that was used."""
    results = measure_training(work) if work.mode == "train" else measure_decoding(work)
    results["peak_rss_mb"] = peak_rss_mb()  # before the matrices below
    results["matmul_gflops"] = round(matmul_gflops(), 1)
    if work.mode == "train":
        results["utilisation"] = utilisation(results, results["matmul_gflops"])
    model = make_model(CASES[work.case])
    params = jax.eval_shape(lambda: init_params(model, seed=0))
    return {**results, "params": sum(leaf.size for leaf in jax.tree.leaves(params))}


def utilisation(results: dict[str, Any], gflops: float) -> float:
    """Share of the limit that a training step used."""
    return round(results["step_gflop"] / (results["step_ms_median"] / 1e3) / gflops, 3)


if __name__ == "__main__":
    tune_malloc()
    measure_one(NAME, measure)
