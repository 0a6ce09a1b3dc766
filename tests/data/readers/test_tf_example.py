from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_jax.data.readers.tf_example import (
    feature_texts,
    feature_values,
    parse_example,
    parse_sequence_example,
)
from seq2seq_jax.data.readers.tfrecord import read_tfrecords
from seq2seq_jax.utils.errors import UserError
from tests.data.readers.tfrecord_files import serialize_example, serialize_sequence_example

# Written by TensorFlow: two Examples and a SequenceExample.
FIRST = {
    "id": [7, -1, 2**63 - 1, -(2**63)],
    "nothing": [],
    "source": [b"zwei Hunde"],
    "target": ["two dogs 犬".encode()],
    "weight": [0.5, -2.25],
}
SECOND = {"source": [b"ein", b"Hund"], "target": [b"a", b"dog"]}
CONTEXT = {"image/data": [b"\xff\xd8\xff not quite"], "image/image_id": [42]}
LISTS = {
    "image/caption": [[b"<S>"], [b"a"], [b"cat"], [b"</S>"]],
    "image/caption_ids": [[1], [4], [9], [2]],
}


@pytest.fixture(scope="module")
def written() -> list[bytes]:
    return list(read_tfrecords(Path(__file__).parent / "records" / "tensorflow.tfrecord"))


def test_messages_of_tensorflow_are_parsed(written):
    assert parse_example(written[0]) == FIRST
    assert parse_example(written[1]) == SECOND
    assert parse_sequence_example(written[2]) == (CONTEXT, LISTS)
    assert serialize_example(FIRST) == written[0]
    assert serialize_example(SECOND) == written[1]
    assert serialize_sequence_example(CONTEXT, LISTS) == written[2]


def test_the_features_of_an_example_are_the_context_of_a_sequence_example(written):
    assert parse_sequence_example(written[0]) == (FIRST, {})
    assert parse_example(written[2]) == CONTEXT


features = st.one_of(
    st.lists(st.binary(max_size=20)),
    st.lists(st.floats(width=32, allow_nan=False)),
    st.lists(st.integers(-(2**63), 2**63 - 1)),
)
named = st.dictionaries(st.text(max_size=8), features, max_size=5)


@settings(deadline=None)
@given(named, st.dictionaries(st.text(max_size=8), st.lists(features, max_size=4), max_size=3))
def test_any_features_are_parsed_in_the_order_of_their_names(context, lists):
    reordered = dict(reversed(context.items()))
    assert parse_example(serialize_example(context)) == context
    assert list(parse_example(serialize_example(reordered))) == sorted(context)
    data = serialize_sequence_example(context, lists)
    assert parse_sequence_example(data) == (context, lists)


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_are_a_message_or_a_one_line_error(data):
    for parse in (parse_example, parse_sequence_example):
        try:
            parse(data, "a record 3")
        except UserError as error:
            assert str(error).startswith("a record 3: is not a tf.train.")
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("sauce", "has no feature 'sauce'; it has 'id', 'nothing', 'source', 'target', 'weight'"),
        ("id", "feature 'id' must hold bytes, but holds integers"),
        ("weight", "feature 'weight' must hold bytes, but holds floats"),
    ],
)
def test_a_feature_that_is_missing_or_has_another_type_is_an_error(name, what):
    with pytest.raises(UserError) as error:
        feature_texts(FIRST, name, "a record 3")
    assert str(error.value) == f"a record 3: {what}"


def test_features_are_selected_by_name_and_type():
    assert feature_texts(FIRST, "target", "a") == ["two dogs 犬"]
    assert feature_values(FIRST, "id", int, "a") == FIRST["id"]
    assert feature_values(FIRST, "nothing", int, "a") == []
    with pytest.raises(UserError, match=r"feature 'a' is not UTF-8 \(byte 0xff at column 3\)"):
        feature_texts({"a": [b"ok", b"ok\xff"]}, "a", "a record 1")


def test_an_error_lists_at_most_twenty_names():
    with pytest.raises(UserError, match=r"it has '00', '01', .*, '19' and 80 more$"):
        feature_texts({f"{i:02}": [] for i in range(100)}, "a", "a record 1")
    with pytest.raises(UserError, match=r"it has none; it may not be a tf\.train\.Example"):
        feature_texts({}, "a", "a record 1")
