"""A trained model with the text it gave."""

import numpy as np

from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.importers.tf_variables import import_model
from seq2seq_jax.models.build import build_model
from seq2seq_jax.models.losses import loss_sums
from seq2seq_jax.ops.kernels import active_kernels
from seq2seq_jax.search.decoding import make_decode
from seq2seq_jax.search.search_config import SearchConfig
from tests.golden_cases.golden_file import GoldenFile
from tests.golden_cases.networks import configured

# Of two sentences with log-probabilities this close, rounding may prefer the other.
NEAR_TIE = 1e-3


def compare_trained(golden: GoldenFile) -> None:
    """99.5 % of the greedy lines and 99 % of the beam's are the same, and the others near-ties, or
    better than what the original found, which stops too early at times."""
    hparams = golden.hparams
    source = Vocabulary(line.split("\t")[0] for line in golden["in/vocab_lines"])
    target = Vocabulary(line.split("\t")[0] for line in golden["in/vocab_target_lines"])
    config = configured(hparams["model"], hparams["model_params"])
    model = build_model(config, source.size, target.size)
    params = import_model(model, golden.arrays)
    sources = [
        source.encode_source(line.split(" "), config.source.max_seq_len)
        for line in golden["in/source_lines"]
    ]
    source_ids, source_len = _padded(sources)
    for name, beam_width, share in (("greedy", 0, 0.995), ("beam5", 5, 0.99)):
        lines = [target.encode(line.split()) for line in golden[f"out/{name}_lines"]]
        search = SearchConfig(beam_width=beam_width, max_length=config.inference.max_decode_length)
        decode = make_decode(model, target, search, kernels=active_kernels())
        found = decode(params, source_ids, source_len)
        ids, lengths = np.asarray(found.ids[:, 0]), np.asarray(found.lengths[:, 0])
        ours = [row[:length].tolist() for row, length in zip(ids, lengths, strict=True)]
        different = [i for i, line in enumerate(lines) if ours[i] != line]
        assert len(different) <= (1 - share) * len(lines)
        for i in different:
            start, end = target.sequence_start_id, target.sequence_end_id
            batch = {
                "source_ids": source_ids[i : i + 1],
                "source_len": source_len[i : i + 1],
                "target_ids": np.array([[start, *lines[i], end]]),
                "target_len": np.array([len(lines[i]) + 2]),
            }
            loss, _ = loss_sums(model, params, batch)
            assert found.log_probs[i, 0] > -float(loss) - NEAR_TIE


def _padded(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(row) for row in rows])
    ids = np.zeros((len(rows), lengths.max()), int)
    for padded, row in zip(ids, rows, strict=True):
        padded[: len(row)] = row
    return ids, lengths
