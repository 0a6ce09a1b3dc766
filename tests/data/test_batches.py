import json
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_jax.data.batches import (
    WHOLE_BATCH,
    Batch,
    Shard,
    TrainBatches,
    dev_batches,
    source_batches,
)
from seq2seq_jax.data.buckets import BatchRows, Buckets, choose_buckets
from seq2seq_jax.data.corpus import Corpus, CorpusCounts
from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.data.sampler import padded_length
from seq2seq_jax.utils.errors import UserError


def corpus_of(lengths) -> Corpus:
    """Return a corpus whose pair i has only token i, in rows of the given lengths."""
    return Corpus(
        Ragged.from_rows([i] * s for i, (s, _) in enumerate(lengths)),
        Ragged.from_rows([i] * t for i, (_, t) in enumerate(lengths)),
        CorpusCounts(len(lengths), {}, 0, 0, 0.0, 0.0),
        digest=repr(lengths),
    )


def random_corpus(size: int = 50) -> Corpus:
    random = np.random.default_rng(3)
    return corpus_of([(int(s), int(t)) for s, t in random.integers(2, 9, (size, 2))])


def buckets_for(corpus: Corpus, batch_size: int = 4) -> Buckets:
    return choose_buckets(corpus.source.lengths, corpus.target.lengths, BatchRows(batch_size))


def epoch_batches(
    corpus: Corpus,
    buckets: Buckets,
    *,
    seed: int,
    epoch: int,
    shuffle: bool = True,
    shard: Shard = WHOLE_BATCH,
) -> list[Batch]:
    """Return the batches of one epoch."""
    batches = TrainBatches(
        corpus, buckets, seed=seed, shuffle=shuffle, num_epochs=epoch + 1, shard=shard
    )
    batches.restore(batches.state() | {"epoch": epoch})
    return list(batches)


def examples(batches) -> list[int]:
    """Return the example of each row that is not padding."""
    return [
        int(row[0])
        for batch in batches
        for row, length in zip(batch["source_ids"], batch["source_len"], strict=True)
        if length
    ]


def same(batches, others) -> bool:
    return all(
        a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
        for a, b in zip(batches, others, strict=True)
    )


corpora = st.lists(st.tuples(st.integers(1, 6), st.integers(2, 6)), min_size=1, max_size=40).map(
    corpus_of
)


@settings(deadline=None, max_examples=60)
@given(corpora, st.integers(1, 7), st.integers(0, 9), st.integers(0, 9), st.booleans())
def test_every_epoch_has_each_example_exactly_once(corpus, batch_size, seed, epoch, shuffle):
    buckets = buckets_for(corpus, batch_size)
    batches = epoch_batches(corpus, buckets, seed=seed, epoch=epoch, shuffle=shuffle)
    assert sorted(examples(batches)) == list(range(len(corpus)))
    for batch in batches:
        assert all(array.dtype == np.int32 for array in batch.values())
        assert batch["source_len"].shape == batch["target_len"].shape == (batch_size,)
        shape = batch["source_ids"].shape[1], batch["target_ids"].shape[1]
        assert shape in buckets.shapes
        for i in range(batch_size):
            source, target = batch["source_ids"][i], batch["target_ids"][i]
            s, t = int(batch["source_len"][i]), int(batch["target_len"][i])
            assert not source[s:].any() and not target[t:].any()
            if s == 0:
                assert t == 0
                continue
            example = int(source[0])
            assert source[:s].tolist() == corpus.source[example].tolist()
            assert target[:t].tolist() == corpus.target[example].tolist()


def test_only_the_last_batch_of_a_bucket_has_padding_rows():
    corpus = random_corpus()
    buckets = buckets_for(corpus)
    batches = epoch_batches(corpus, buckets, seed=0, epoch=0)
    unfilled = [
        b["source_ids"].shape + b["target_ids"].shape for b in batches if 0 in b["target_len"]
    ]
    assert len(unfilled) == len(set(unfilled)) > 0


def test_the_order_depends_only_on_seed_and_epoch():
    corpus = random_corpus()
    buckets = buckets_for(corpus)

    def order(seed, epoch):
        return examples(epoch_batches(corpus, buckets, seed=seed, epoch=epoch))

    assert order(1, 2) == order(1, 2)
    assert len({tuple(order(seed, epoch)) for seed in range(4) for epoch in range(4)}) == 16


def test_the_order_of_examples_never_changes_between_versions():
    corpus = corpus_of([(2, 3)] * 8)
    assert examples(epoch_batches(corpus, Buckets(((2, 3),), (3,)), seed=5, epoch=1)) == [
        7,
        6,
        1,
        0,
        3,
        5,
        4,
        2,
    ]


def test_every_example_is_first_about_equally_often():
    corpus = corpus_of([(2, 3)] * 10)
    buckets = Buckets(((2, 3),), (10,))
    firsts = [examples(epoch_batches(corpus, buckets, seed=0, epoch=e))[0] for e in range(500)]
    assert np.bincount(firsts, minlength=10).min() > 25


def test_batches_of_different_buckets_are_mixed():
    corpus = random_corpus(400)
    widths = [
        batch["source_ids"].shape[1]
        for batch in epoch_batches(corpus, buckets_for(corpus), seed=0, epoch=0)
    ]
    assert np.count_nonzero(np.diff(widths)) > len(widths) // 3


def test_without_shuffling_examples_keep_their_order():
    corpus = corpus_of([(2, 3)] * 7)
    batches = epoch_batches(corpus, Buckets(((2, 3),), (3,)), seed=0, epoch=0, shuffle=False)
    assert examples(batches) == list(range(7))


def test_the_iterator_yields_epoch_after_epoch():
    corpus = random_corpus()
    buckets = buckets_for(corpus)
    batches = TrainBatches(corpus, buckets, seed=7, num_epochs=2)
    n = batches.batches_per_epoch
    expected = [
        *epoch_batches(corpus, buckets, seed=7, epoch=0),
        *epoch_batches(corpus, buckets, seed=7, epoch=1),
    ]
    assert len(expected) == 2 * n
    assert same(batches, expected)
    assert batches.epoch == 2
    with pytest.raises(StopIteration):
        next(batches)


def test_zero_epochs_mean_an_endless_iterator():
    batches = TrainBatches(random_corpus(5), Buckets(((9, 9),), (4,)), seed=0)
    assert len(list(islice(batches, 100))) == 100


@settings(deadline=None, max_examples=40)
@given(corpora, st.integers(1, 5), st.integers(0, 60), st.booleans())
def test_an_iterator_that_is_restored_anywhere_continues_with_the_same_batches(
    corpus, batch_size, position, shuffle
):
    def fresh():
        return TrainBatches(corpus, buckets_for(corpus, batch_size), seed=1, shuffle=shuffle)

    batches = fresh()
    for _ in range(position):
        next(batches)
    state = json.loads(json.dumps(batches.state()))
    resumed = fresh()
    resumed.restore(state)
    assert resumed.state() == state
    assert same(list(islice(resumed, 30)), list(islice(batches, 30)))


def test_an_iterator_that_is_restored_at_its_end_yields_nothing():
    corpus = random_corpus(3)
    ended = TrainBatches(corpus, Buckets(((9, 9),), (4,)), seed=0, num_epochs=1)
    assert len(list(ended)) == 1
    resumed = TrainBatches(corpus, Buckets(((9, 9),), (4,)), seed=0, num_epochs=1)
    resumed.restore(ended.state())
    assert list(resumed) == []


@pytest.mark.parametrize("change", ["data", "order", "buckets", "batch_size", "seed", "shuffle"])
def test_restoring_the_state_of_another_stream_is_an_error(change):
    corpus = corpus_of([(2, 3), (3, 3), (2, 4)])
    state = TrainBatches(corpus, Buckets(((3, 4),), (2,)), seed=0).state()
    other = TrainBatches(
        {"data": corpus_of([(2, 3), (3, 3)]), "order": corpus_of([(3, 3), (2, 3), (2, 4)])}.get(
            change, corpus
        ),
        Buckets(
            ((3, 5),) if change == "buckets" else ((3, 4),),
            (3,) if change == "batch_size" else (2,),
        ),
        seed=1 if change == "seed" else 0,
        shuffle=change != "shuffle",
    )
    with pytest.raises(UserError, match=r"^input_pipeline_train\.params: the training data"):
        other.restore(state)


@settings(deadline=None, max_examples=40)
@given(corpora, st.integers(1, 5))
def test_dev_batches_return_the_example_of_each_row(corpus, batch_size):
    seen = []
    for batch, indices in dev_batches(corpus, Buckets(((2, 3), (4, 4)), (batch_size,) * 2)):
        assert indices.shape == (batch_size,)
        assert ((indices >= 0) == (batch["target_len"] > 0)).all()
        assert (batch["source_ids"][:, 0] == np.maximum(indices, 0)).all()
        seen += indices[indices >= 0].tolist()
    assert sorted(seen) == list(range(len(corpus)))


@settings(deadline=None, max_examples=40)
@given(corpora, st.integers(1, 5))
def test_source_batches_return_the_source_of_each_row(corpus, batch_size):
    seen = []
    for batch, indices in source_batches(corpus.source, batch_size):
        assert batch["source_ids"].shape == (batch_size, 8)
        real = indices >= 0
        assert batch["source_len"].tolist() == [
            len(corpus.source[i]) if i >= 0 else 0 for i in indices
        ]
        assert (batch["source_ids"][real, 0] == indices[real]).all()
        seen += indices[real].tolist()
    assert sorted(seen) == list(range(len(corpus)))
    assert (np.diff(corpus.source.lengths[seen]) >= 0).all()


@settings(deadline=None, max_examples=40)
@given(corpora, st.sampled_from([1, 2, 4]), st.booleans())
def test_the_shards_of_several_processes_make_up_the_batches_of_one(corpus, processes, shuffle):
    buckets = buckets_for(corpus)
    whole = epoch_batches(corpus, buckets, seed=1, epoch=0, shuffle=shuffle)
    shards = [
        epoch_batches(
            corpus, buckets, seed=1, epoch=0, shuffle=shuffle, shard=Shard(index, processes)
        )
        for index in range(processes)
    ]
    for batch, *parts in zip(whole, *shards, strict=True):
        for name, array in batch.items():
            assert np.array_equal(np.concatenate([part[name] for part in parts]), array)


def test_selected_sources_are_numbered_by_their_position_in_the_selection():
    corpus = corpus_of([(2, 3), (3, 3), (4, 3), (2, 3)])
    ((batch, indices),) = source_batches(corpus.source, 3, rows=np.array([2, 3]))
    assert indices.tolist() == [1, 0, -1]
    assert batch["source_ids"][:, :5].tolist() == [[3, 3, 0, 0, 0], [2, 2, 2, 2, 0], [0] * 5]


def test_without_sources_there_are_no_batches():
    assert list(source_batches(Ragged.from_rows([]), 2)) == []


def test_sources_are_padded_to_few_widths():
    assert [padded_length(n) for n in (1, 8, 9, 64, 65, 96, 97)] == [8, 8, 16, 64, 96, 96, 128]
