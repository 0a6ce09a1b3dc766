from collections import Counter

import pytest

from seq2seq_jax.data.readers.toy import toy_copy, toy_pairs, toy_reverse, toy_tokens


@pytest.mark.parametrize(("split", "size"), [("train", 10_000), ("dev", 1_000), ("test", 1_000)])
def test_a_split_has_its_size_and_lengths_from_5_to_20(split, size):
    pairs = list(toy_copy(split))
    assert len(pairs) == size
    assert {len(source.split()) for source, _ in pairs} == set(range(5, 21))


def test_all_twenty_tokens_are_about_equally_frequent():
    counts = Counter(token for source, _ in toy_copy("train") for token in source.split())
    assert set(counts) == set(toy_tokens()) == {*map(str, range(19)), "笑"}
    assert min(counts.values()) > 0.9 * max(counts.values())


def test_targets_are_copies_or_reversed():
    copies, reverses = list(toy_copy("dev")), list(toy_reverse("dev"))
    assert all(source == target for source, target in copies)
    assert all(source.split() == target.split()[::-1] for source, target in reverses)


def test_the_data_are_reproducible_and_differ_between_splits():
    assert list(toy_copy("dev")) == list(toy_copy("dev"))
    dev, test = ({source for source, _ in toy_copy(split)} for split in ("dev", "test"))
    train = {source for source, _ in toy_copy("train")}
    assert not (dev & test) and not (dev & train)


def test_size_lengths_tokens_and_seed_are_arguments():
    def pairs(size, seed=1):
        chosen = {"vocab_size": 3, "min_length": 2, "max_length": 3}
        return list(toy_pairs("reverse", "train", size, seed=seed, **chosen))

    found = pairs(25_000)
    assert len(found) == 25_000
    assert {len(source.split()) for source, _ in found} == {2, 3}
    assert {token for source, _ in found for token in source.split()} == {"0", "1", "笑"}
    assert pairs(20_000) == found[:20_000]
    assert pairs(100, seed=2) != found[:100]
