"""The training step of google/seq2seq at fixed shapes, compared with ours.

The times of google/seq2seq were recorded once, because it needs TensorFlow 1.0. They are medians of
its unmodified training step on an idle machine with two cores of an AMD EPYC (Zen 4), with the
published wheel of TensorFlow, which does not use AVX. Batches have 32 rows, all of full length;
input dropout is on. The ratios are valid only on a similar machine.

    python -m benchmarks.recorded nmt_small:step:32
"""

import statistics
from typing import Any, NamedTuple

import numpy as np

from benchmarks.cases import Case, draw_pairs, our_ids, pad
from benchmarks.training import make_model, time_steps
from benchmarks.work import Work, measure_one, usable_processors
from seq2seq_jax.devices.memory import tune_malloc

BATCH_SIZE = 32


class Recorded(NamedTuple):
    """The recorded times of a model.

    Attributes:
      case: The model; all sentences have the same length, including SEQUENCE_END.
      step_s: Number of threads -> seconds of a training step of google/seq2seq.
    """

    case: Case
    step_s: dict[int, float]


RECORDED = {
    "nmt_small": Recorded(
        Case("GRUCell", "AttentionLayerDot", 128, 1, 1, 23, 14, 14, True, BATCH_SIZE, 1),
        {1: 0.214, 2: 0.173},
    ),
    "nmt_medium": Recorded(
        Case("GRUCell", "AttentionLayerBahdanau", 256, 1, 2, 10000, 26, 26, True, BATCH_SIZE, 1),
        {1: 3.38, 2: 1.84},
    ),
}


def measure(work: Work) -> dict[str, Any]:
    """Seconds of our step, and how many times as long the recorded one is."""
    case, step_s = RECORDED[work.case]
    steps = np.full(case.batch_size, case.longest)
    # The targets' SEQUENCE_END is added.
    pairs = draw_pairs(np.random.default_rng(0), steps, steps - 1, case.vocab_size - 4)
    runs = time_steps(make_model(case), [pad(pairs, our_ids(case))], work.seconds)
    median, threads = statistics.median(runs.wall), len(usable_processors())
    results = {
        "step_s_median": round(median, 5),
        "step_s_best": round(min(runs.wall), 5),
        "reps": len(runs.wall),
    }
    if threads in step_s:
        results["recorded_step_s"] = step_s[threads]
        results["ratio_to_recorded"] = round(step_s[threads] / median, 2)
    return results


if __name__ == "__main__":
    tune_malloc()
    measure_one("seq2seq_jax", measure)
