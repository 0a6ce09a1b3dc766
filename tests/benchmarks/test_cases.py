"""The work that is measured: the same every time, and counted right."""

import numpy as np

from benchmarks.cases import (
    CASES,
    Case,
    SpecialIds,
    make_batches,
    make_sources,
    our_ids,
    target_tokens,
    train_flops,
)
from benchmarks.real_lengths import real_pairs, sorted_batches
from benchmarks.training import bucketed_batches

TINY = Case("GRUCell", "AttentionLayerDot", 8, 1, 1, 12, 3, 5, False, 4, 2)
REAL = CASES["R"]._replace(batches=4)


def test_batches_are_the_same_every_time():
    case = CASES["B"]
    first, second = make_batches(case, our_ids(case)), make_batches(case, our_ids(case))

    assert len(first) == case.batches
    for one, other in zip(first, second, strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_targets_begin_and_end_with_special_tokens():
    case = CASES["A"]
    for batch in make_batches(case, our_ids(case)):
        rows = np.arange(case.batch_size)
        assert (batch["target_ids"][:, 0] == case.vocab_size - 2).all()
        assert (batch["target_ids"][rows, batch["target_len"] - 1] == case.vocab_size - 1).all()
        assert batch["source_ids"].max() < case.vocab_size - 4
        assert (np.diff(batch["source_len"]) <= 0).all()


def test_other_frameworks_get_the_same_sentences_in_their_own_ids():
    case, ids = CASES["B"], SpecialIds(first_word=4, start=2, end=3, padding=1)

    for ours, theirs in zip(
        make_batches(case, our_ids(case)), make_batches(case, ids), strict=True
    ):
        assert np.array_equal(ours["target_len"], theirs["target_len"])
        inside = np.arange(ours["source_ids"].shape[1]) < ours["source_len"][:, None]
        assert np.array_equal(ours["source_ids"][inside] + 4, theirs["source_ids"][inside])
        assert (theirs["source_ids"][~inside] == ids.padding).all()
        assert (theirs["target_ids"][:, 0] == ids.start).all()


def test_the_sentence_that_is_decoded_alone_is_one_of_the_32():
    case = CASES["B"]
    ids, lengths = make_sources(case, 1, our_ids(case))
    many, their_lengths = make_sources(case, 32, our_ids(case))

    assert ids.shape == (1, lengths[0]) and lengths[0] == their_lengths[15]
    assert np.array_equal(ids[0], many[15, : lengths[0]])


def test_operations_are_those_counted_by_hand():
    one = TINY._replace(shortest=1, longest=1, equal_lengths=True, batch_size=1, batches=1)

    encoder = 2 * (2 * 3 * 8 * (8 + 8)) + 2 * 16 * 8  # two directions, keys
    decoder = 2 * 3 * 8 * (8 + 16 + 8) + 2 * (16 + 8) * 8 + 2 * 8 * 12  # cell, mix, logits
    pair = 2 * 8 + 2 * 16  # score, weighted sum
    # One source token; the target token and its end; three times with the backward pass.
    expected = 3 * (encoder + 2 * decoder + 2 * pair)
    assert train_flops(one, make_batches(one, our_ids(one))) == expected


def test_drawn_lengths_are_distributed_as_those_of_multi30k():
    lengths = np.array([[len(source), len(target)] for source, target in real_pairs(REAL)])

    assert np.allclose(lengths.mean(0), [13.0, 12.4], atol=0.3)
    assert np.allclose(lengths.std(0), [4.0, 4.2], atol=0.3)
    assert abs(np.corrcoef(np.log(lengths.T))[0, 1] - 0.85) < 0.03


def test_pairs_are_read_from_files_and_rare_words_are_one(tmp_path):
    (tmp_path / "source").write_text("a a b\nc\n\na\n")
    (tmp_path / "target").write_text("x\ny x\nx\ny\n")
    case = REAL._replace(vocab_size=6)  # two words

    pairs = real_pairs(case, [str(tmp_path / "source"), str(tmp_path / "target")])

    assert [(s.tolist(), t.tolist()) for s, t in pairs] == [
        ([0, 0, 1], [0]),
        ([1], [1, 0]),
        ([0], [1]),
    ]


def test_buckets_and_sorting_work_on_the_same_corpus_and_pad_little():
    for batches in (bucketed_batches(REAL), sorted_batches(REAL, real_pairs(REAL), our_ids(REAL))):
        assert len(batches) == REAL.batches
        slots = sum(batch["target_ids"][:, 1:].size for batch in batches)
        assert target_tokens(batches) > 0.7 * slots
        shapes = [batch["source_ids"].shape for batch in batches]
        assert all(rows == REAL.batch_size for rows, _ in shapes) and len(set(shapes)) > 1
