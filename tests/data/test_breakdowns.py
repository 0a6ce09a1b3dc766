from seq2seq_jax.data.breakdowns import (
    group_by_feature,
    group_by_length,
    group_by_overlap,
    length_buckets,
)


def test_length_groups_have_about_the_same_size_and_are_in_order():
    grouping = group_by_length([9, 1, 2, 3, 4, 5, 6, 30], max_groups=4)
    members = grouping.members()
    assert list(members) == ["1 to 2", "3 to 4", "5 to 6", "9 to 30"]
    assert sorted(index for places in members.values() for index in places) == list(range(8))
    assert list(group_by_length([3, 3, 3]).members()) == ["3"]
    assert group_by_length([]).members() == {}


def test_every_length_is_in_one_bucket():
    lengths = [*range(1, 60), 500]
    buckets = length_buckets(lengths, max_buckets=5)
    assert len(buckets) == 5
    assert all(sum(low <= n <= high for low, high in buckets) == 1 for n in lengths)


def test_a_source_is_in_the_group_of_each_of_its_features():
    members = group_by_feature([("V", "PST"), ("V",), (), ("N", "V")]).members()
    assert members == {"V": [0, 1, 3], "N": [3], "PST": [0]}
    assert next(iter(members)) == "V"


def test_overlap_with_training_has_the_groups_of_the_shared_task():
    sources = ["be", "be", "go", "go"]
    features = ["PST", "PRS", "PST", "PRS"]
    grouping = group_by_overlap(sources, {"be", "do"}, features, {"PST"})
    assert grouping.members() == {"both": [0], "lemma": [1], "features": [2], "neither": [3]}
    assert list(grouping.members()) == ["both", "lemma", "features", "neither"]


def test_overlap_without_features_is_seen_or_unseen():
    assert group_by_overlap(["go", "be"], {"be"}).members() == {"seen": [1], "unseen": [0]}
