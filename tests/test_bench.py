"""The benchmark: the same work every time, counted right, and a line that says it all."""

import json

import numpy as np
import pytest

from seq2seq_jax.bench import CASES, Case, make_batches, measure, train_flops

TINY = Case("GRUCell", "AttentionLayerDot", 8, 1, 1, 12, 3, 5, False, 4, 2)


def test_batches_are_the_same_every_time():
    first, second = make_batches(CASES["B"]), make_batches(CASES["B"])

    assert len(first) == CASES["B"].batches
    for one, other in zip(first, second, strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_targets_begin_and_end_with_special_tokens():
    case = CASES["A"]
    for batch in make_batches(case):
        rows = np.arange(case.batch_size)
        assert (batch["target_ids"][:, 0] == case.vocab_size - 2).all()
        assert (batch["target_ids"][rows, batch["target_len"] - 1] == case.vocab_size - 1).all()
        assert batch["source_ids"].max() < case.vocab_size - 4
        assert (np.diff(batch["source_len"]) <= 0).all()


def test_operations_are_those_counted_by_hand():
    one = TINY._replace(shortest=1, longest=1, equal_lengths=True, batch_size=1, batches=1)

    encoder = 2 * (2 * 3 * 8 * (8 + 8)) + 2 * 16 * 8  # two directions, keys
    decoder = 2 * 3 * 8 * (8 + 16 + 8) + 2 * (16 + 8) * 8 + 2 * 8 * 12  # cell, mix, logits
    pair = 2 * 8 + 2 * 16  # score, weighted sum
    # One source word; the target word and its end; three times for the way back.
    assert train_flops(one) == 3 * (encoder + 2 * decoder + 2 * pair)


@pytest.mark.parametrize(
    ("mode", "batch_size", "rate"), [("train", 4, "tok_s_median"), ("beam5", 32, "sent_s_median")]
)
def test_a_measurement_is_one_json_object(mode, batch_size, rate):
    line = json.loads(json.dumps(measure("tiny", TINY, mode, batch_size, seconds=0.1)))

    assert (line["case"], line["mode"], line["batch"], line["feed"]) == (
        "tiny",
        mode,
        batch_size,
        1,
    )
    assert line[rate] > 0 and line["matmul_gflops"] > 0 and line["peak_rss_mb"] > 0
    if mode == "train":
        assert line["finite"] and 0 <= line["utilisation"] < 1
    else:
        assert line["out_lens"] == [50]
