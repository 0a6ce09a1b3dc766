from itertools import combinations_with_replacement, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_jax.data.buckets import (
    MAX_BUCKETS,
    MIN_SAVING,
    BatchRows,
    Buckets,
    choose_buckets,
    make_buckets,
    parse_boundaries,
)
from seq2seq_jax.schema.rules import BUCKETS
from seq2seq_jax.utils.errors import UserError

lengths_of_pairs = st.lists(
    st.tuples(st.integers(1, 5), st.integers(2, 6)), min_size=1, max_size=30
)


def count_positions(shapes, sources, targets, batch_size: int) -> int:
    """Count the positions pair by pair: each belongs to the first bucket that holds it."""
    pairs = [0] * len(shapes)
    for source, target in zip(sources, targets, strict=True):
        pairs[[source <= s and target <= t for s, t in shapes].index(True)] += 1
    return sum(
        -(-count // batch_size) * batch_size * (s + t)
        for count, (s, t) in zip(pairs, shapes, strict=True)
    )


def fewest_positions(count: int, sources, targets, batch_size: int) -> int:
    """Try all `count` nested rectangles of the lengths that occur."""
    largest = int(sources.max()), int(targets.max())
    rectangles = list(product(np.unique(sources).tolist(), np.unique(targets).tolist()))
    return min(
        count_positions((*inner, largest), sources, targets, batch_size)
        for inner in combinations_with_replacement(rectangles, count - 1)
        if all(a[1] <= b[1] for a, b in pairwise(inner))
    )


@settings(deadline=None, max_examples=40)
@given(lengths_of_pairs, st.sampled_from([1, 4]))
def test_the_chosen_buckets_are_the_best_of_all(pairs, batch_size):
    sources, targets = np.array(pairs).T
    chosen = choose_buckets(sources, targets, BatchRows(batch_size))
    assert len(chosen) <= MAX_BUCKETS
    used = count_positions(chosen.shapes, sources, targets, batch_size)
    best = [fewest_positions(count, sources, targets, batch_size) for count in (1, 2, 3)]
    stop = next((k for k in (1, 2) if best[k - 1] - best[k] < MIN_SAVING * best[k - 1]), None)
    if stop is None:
        assert used <= best[2]
    else:
        assert used == best[stop - 1]


def test_buckets_that_save_little_are_not_added():
    lengths = np.array([10] * 1000 + [9])
    assert choose_buckets(lengths, lengths).shapes == ((10, 10),)


def test_a_bucket_for_a_few_long_pairs_is_added():
    sources, targets = np.array([4] * 90 + [40] * 10), np.array([5] * 90 + [41] * 10)
    assert choose_buckets(sources, targets).shapes == ((4, 5), (40, 41))


def test_whole_batches_are_counted_so_small_corpora_get_few_buckets():
    lengths = np.arange(1, 9)
    assert len(choose_buckets(lengths, lengths)) > 1
    assert choose_buckets(lengths, lengths, BatchRows(8)).shapes == ((8, 8),)


def test_many_lengths_give_a_few_buckets_that_hold_all_pairs():
    random = np.random.default_rng(0)
    sources = random.integers(1, 3000, 5000)
    targets = np.maximum(1, sources + random.integers(-50, 50, 5000))
    chosen = choose_buckets(sources, targets, BatchRows(16))
    assert chosen.shapes[-1] == (sources.max(), targets.max())
    assert chosen.assign(sources, targets).max() < len(chosen) <= MAX_BUCKETS
    assert count_positions(chosen.shapes, sources, targets, 16) < 1.3 * (sources + targets).sum()


@settings(deadline=None, max_examples=40)
@given(lengths_of_pairs)
def test_a_pair_belongs_to_the_first_bucket_that_holds_it(pairs):
    shapes = ((1, 3), (3, 3), (3, 5), (5, 6))
    sources, targets = np.array(pairs).T
    expected = [
        next(i for i, (s, t) in enumerate(shapes) if source <= s and target <= t)
        for source, target in pairs
    ]
    assert Buckets(shapes, (1,) * 4).assign(sources, targets).tolist() == expected


def test_a_pair_that_fits_into_no_bucket_is_an_error_or_gets_one_more():
    buckets = Buckets(((3, 4), (6, 6)), (8, 4))
    with pytest.raises(ValueError, match="larger than the largest bucket"):
        buckets.assign(np.array([2]), np.array([7]))
    assert buckets.covering(2, 7) == Buckets(((3, 4), (6, 6), (6, 7)), (8, 4, 4))
    assert buckets.covering(6, 6) is buckets


def test_buckets_that_are_not_nested_are_an_error():
    with pytest.raises(ValueError, match="not nested"):
        Buckets(((3, 6), (4, 5)), (1, 1))


@settings(deadline=None, max_examples=40)
@given(lengths_of_pairs)
def test_given_source_widths_get_the_best_target_widths(pairs):
    sources, targets = np.array(pairs).T
    chosen = make_buckets("2,4", sources, targets)
    widths = [width for width in (2, 4) if width < sources.max()] + [int(sources.max())]
    assert {s for s, _ in chosen.shapes} <= set(widths)
    values = np.unique(targets).tolist()
    best = min(
        count_positions(
            list(zip(widths, [*inner, values[-1]], strict=True)), sources, targets, batch_size=1
        )
        for inner in combinations_with_replacement(values, len(widths) - 1)
    )
    assert count_positions(chosen.shapes, sources, targets, batch_size=1) == best


def test_sources_longer_than_all_boundaries_get_one_more_bucket():
    lengths = np.array([5, 10, 15, 20, 25])
    chosen = make_buckets("10,20", lengths, lengths)
    assert chosen.shapes == ((10, 10), (20, 20), (25, 25))


def test_boundaries_beyond_the_longest_source_are_ignored():
    lengths = np.array([5, 10, 15])
    assert make_buckets("10,20,30", lengths, lengths).shapes == ((10, 10), (15, 15))


@pytest.mark.parametrize(
    "text",
    ["10,x", "20,10", "10,10", "0,5", "10,,20", "10x5,8x9", "5,10x10", "5x6x7", "4x5,4x5", "0x1"],
)
def test_boundaries_that_do_not_increase_are_an_error(text):
    with pytest.raises(UserError, match=r"^buckets: must be increasing source lengths") as error:
        parse_boundaries(text)
    assert str(error.value).endswith(f"got {text!r}")
    assert not BUCKETS.accepts(text)


def test_buckets_can_be_given_as_source_and_target_widths():
    lengths = np.array([3, 9])
    given = make_buckets("4x5,10x10,10x20", lengths, lengths, BatchRows(8))
    assert given == Buckets(((4, 5), (10, 10), (10, 20)), (8, 8, 8))
    larger = make_buckets("4x5", lengths, lengths, BatchRows(8))
    assert larger.shapes == ((4, 5), (9, 9))


def test_boundaries_can_contain_spaces():
    assert parse_boundaries("10, 20") == [(10, None), (20, None)]


def test_batch_tokens_limits_the_positions_on_the_wider_side():
    sources, targets = np.array([4] * 400 + [40] * 400), np.array([5] * 400 + [30] * 400)
    assert choose_buckets(sources, targets, BatchRows(16, batch_tokens=700)) == Buckets(
        ((4, 5), (40, 30)), (136, 16)
    )
    few = BatchRows(16, batch_tokens=100)
    assert choose_buckets(sources, targets, few).rows == (16, 2)
    assert BatchRows(batch_tokens=10).num_rows(np.array([40]), np.array([30])).tolist() == [1]
