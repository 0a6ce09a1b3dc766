"""Greedy and beam search of this package."""

from typing import Any

import jax
import numpy as np

from benchmarks.cases import CASES, DECODE_LENGTH, make_sources, our_ids
from benchmarks.timing import latencies, rates, time_runs
from benchmarks.training import make_model
from benchmarks.work import MODES, Work
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.models.build import init_params
from seq2seq_jax.ops.kernels import active_kernels
from seq2seq_jax.search.decoding import make_decode
from seq2seq_jax.search.search_config import SearchConfig


def measure_decoding(work: Work) -> dict[str, Any]:
    """Measure sentences per second.

    Args:
      work: The measurement.
    """
    case = CASES[work.case]
    model = make_model(case)
    params = init_params(model, seed=0)
    vocabulary = Vocabulary(map(str, range(case.vocab_size - 3)))
    search = SearchConfig(beam_width=MODES[work.mode], max_length=DECODE_LENGTH)
    decode = make_decode(model, vocabulary, search, kernels=active_kernels())
    # Exclude UNK, SEQUENCE_START and SEQUENCE_END, so that all sentences have the same length.
    bias = params["decoder"]["project_logits"]["bias"]
    params["decoder"]["project_logits"]["bias"] = bias.at[vocabulary.unk_id :].set(-1e9)
    sources, lengths = make_sources(case, work.batch_size, our_ids(case))
    runs = time_runs(lambda: jax.device_get(decode(params, sources, lengths)), work.seconds)
    return {
        **rates("sent", work.batch_size, runs),
        **latencies(runs),
        "out_lens": np.unique(runs.outputs[0].lengths[:, 0]).tolist(),
    }
