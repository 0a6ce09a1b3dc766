from collections import Counter

import numpy as np
import pytest

from seq2seq_jax.data.sampler import sample_epoch
from seq2seq_jax.data.temperature import TemperatureSampler

GROUPS = np.repeat([0, 1, 2], [640, 80, 10])
BUCKETS = np.arange(730) % 2


def sampler(temperature=2.0, seed=3, buckets=BUCKETS):
    return TemperatureSampler(GROUPS, buckets, temperature=temperature, seed=seed)


def shares(temperature):
    drawn = np.bincount(GROUPS[sampler(temperature).examples(0)])
    return drawn / drawn.sum()


def test_an_epoch_holds_each_example_once_at_temperature_one():
    assert sampler(1.0).examples(4).tolist() == list(range(730))


@pytest.mark.parametrize("temperature", [1.5, 2, 5, 1000])
def test_shares_of_groups_are_powers_of_their_sizes(temperature):
    expected = np.array([640, 80, 10]) ** (1 / temperature)
    assert shares(temperature) == pytest.approx(expected / expected.sum(), abs=0.005)


def test_epochs_depend_on_seed_and_epoch_only():
    first = sampler()
    epochs = [first.examples(epoch).tolist() for epoch in range(4)]
    again = sampler()

    assert [again.examples(epoch).tolist() for epoch in (3, 1, 2, 0)] == [
        epochs[epoch] for epoch in (3, 1, 2, 0)
    ]
    assert epochs[0] != epochs[1]
    assert sampler(seed=4).examples(0).tolist() != epochs[0]


def test_the_examples_of_a_group_take_turns():
    chosen = sampler(5.0)
    counts = Counter(index for epoch in range(7) for index in chosen.examples(epoch).tolist())

    for group in range(3):
        for bucket in range(2):
            members = np.flatnonzero((group == GROUPS) & (bucket == BUCKETS))
            found = [counts[index] for index in members.tolist()]
            assert max(found) - min(found) <= 1 and min(found) >= 1


def test_every_epoch_has_the_same_number_of_examples_in_every_bucket():
    chosen = sampler()
    numbers = {tuple(np.bincount(BUCKETS[chosen.examples(epoch)])) for epoch in range(5)}
    assert len(numbers) == 1


def test_a_bucket_of_one_example_is_never_left_out():
    buckets = np.where(np.arange(730) == 5, 2, BUCKETS)
    assert all(5 in sampler(100.0, buckets=buckets).examples(epoch) for epoch in range(3))


def test_batches_hold_the_drawn_examples_as_often_as_they_were_drawn():
    chosen = sampler().examples(2)
    batches = sample_epoch(BUCKETS, [8, 16], seed=0, epoch=2, shuffle=True, examples=chosen)

    assert sorted(int(i) for batch in batches for i in batch.examples) == chosen.tolist()
    assert all((BUCKETS[batch.examples] == batch.bucket).all() for batch in batches)
