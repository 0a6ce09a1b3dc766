from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_jax.data.readers.tf_example import (
    parse_example,
    parse_sequence_example,
    serialize_example,
    serialize_sequence_example,
    texts_of,
    values_of,
)
from seq2seq_jax.data.readers.tfrecord import read_tfrecords
from seq2seq_jax.utils.errors import UserError

# What TensorFlow wrote: two Examples and a SequenceExample.
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


def test_messages_are_read_and_written_as_tensorflow_wrote_them(written):
    assert parse_example(written[0]) == FIRST
    assert parse_example(written[1]) == SECOND
    assert parse_sequence_example(written[2]) == (CONTEXT, LISTS)
    assert serialize_example(FIRST) == written[0]
    assert serialize_example(SECOND) == written[1]
    assert serialize_sequence_example(CONTEXT, LISTS) == written[2]


def test_either_message_read_as_the_other_gives_what_they_share(written):
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
def test_what_is_written_comes_back_whatever_the_order_of_names(context, lists):
    turned = dict(reversed(context.items()))
    assert parse_example(serialize_example(context)) == context
    assert serialize_example(turned) == serialize_example(context)
    assert list(parse_example(serialize_example(turned))) == sorted(context)
    data = serialize_sequence_example(context, lists)
    assert parse_sequence_example(data) == (context, lists)


def test_numpy_arrays_are_features_too():
    data = serialize_example({"a": np.arange(3), "b": np.float32([0.5]), "c": [1, 0.5]})
    assert parse_example(data) == {"a": [0, 1, 2], "b": [0.5], "c": [1.0, 0.5]}


@pytest.mark.parametrize("values", [["text"], [b"bytes", 1], [None]])
def test_what_is_no_feature_is_refused(values):
    with pytest.raises(TypeError, match="of bytes, of floats or of integers; got"):
        serialize_example({"a": values})


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_are_a_message_or_one_line(data):
    for parse in (parse_example, parse_sequence_example):
        try:
            parse(data, "a record 3")
        except UserError as error:
            assert str(error).startswith("a record 3: is no tf.train.")
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("sauce", "has no feature 'sauce'; it has 'id', 'nothing', 'source', 'target', 'weight'"),
        ("id", "feature 'id' must hold bytes, but holds integers"),
        ("weight", "feature 'weight' must hold bytes, but holds floats"),
    ],
)
def test_a_feature_that_is_missing_or_of_another_kind_is_told(name, what):
    with pytest.raises(UserError) as error:
        texts_of(FIRST, name, "a record 3")
    assert str(error.value) == f"a record 3: {what}"


def test_features_are_taken_by_name_and_kind():
    assert texts_of(FIRST, "target", "a") == ["two dogs 犬"]
    assert values_of(FIRST, "id", int, "a") == FIRST["id"]
    assert values_of(FIRST, "nothing", int, "a") == []
    with pytest.raises(UserError, match=r"feature 'a' is not UTF-8 \(byte 0xff at column 3\)"):
        texts_of({"a": [b"ok", b"ok\xff"]}, "a", "a record 1")


def test_few_of_many_names_are_told():
    with pytest.raises(UserError, match=r"it has '00', '01', .*, '19' and 80 more$"):
        texts_of({f"{i:02}": [] for i in range(100)}, "a", "a record 1")
    with pytest.raises(UserError, match=r"none at all: is it a tf\.train\.Example"):
        texts_of({}, "a", "a record 1")
