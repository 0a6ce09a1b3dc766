import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_jax.data.readers.tfrecord_pipeline import TFRecordInputPipeline
from seq2seq_jax.utils.errors import UserError
from tests.data.readers.tfrecord_files import serialize_example, write_records

KEY = "input_pipeline_train.params"


def write(path, *examples) -> str:
    write_records(path, map(serialize_example, examples))
    return str(path)


def pair(source: bytes | list[bytes], target: bytes | list[bytes]) -> dict[str, list[bytes]]:
    values = {"source": source, "target": target}
    return {name: value if isinstance(value, list) else [value] for name, value in values.items()}


def pipeline(files, *fields) -> TFRecordInputPipeline:
    return TFRecordInputPipeline(files, *fields, key=KEY)


def message(files, *fields) -> str:
    with pytest.raises(UserError) as error:
        list(pipeline(files, *fields))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_pairs_are_read_from_files_of_all_kinds_in_order(tmp_path):
    module = pytest.importorskip("array_record.python.array_record_module")
    a = write(tmp_path / "a-00000-of-00002", pair("犬".encode(), b"dog"), pair(b"b", b"y"))
    b = write(tmp_path / "b.tfrecord.gz", pair(b"c", b"z"))
    c = str(tmp_path / "c.array_record")
    writer = module.ArrayRecordWriter(c, "group_size:1")
    writer.write(serialize_example(pair(b"d", b"")))
    writer.close()
    empty = write(tmp_path / "empty.tfrecord")
    found = pipeline(f"{a}, {b},{empty},{c}")
    assert list(found) == [("犬", "dog"), ("b", "y"), ("c", "z"), ("d", "")]
    assert list(found) == list(found)


def test_fields_are_selected_by_name(tmp_path):
    example = {"en": [b"a dog"], "de": [b"ein Hund"], "id": [7]}
    assert list(pipeline(write(tmp_path / "a", example), "de", "en")) == [("ein Hund", "a dog")]


def test_a_third_field_holds_features(tmp_path):
    example = pair(b"walk", b"walked")
    name = write(tmp_path / "a", example | {"tags": [b"V;PST"]}, example | {"tags": []})
    found = list(pipeline(name, "source", "target", "tags"))
    assert found == [("walk", "walked", "V;PST"), ("walk", "walked", "")]
    several = write(tmp_path / "b", example | {"tags": [b"V", b"PST"]})
    what = "feature 'tags' has 2 values; use one, with features_delimiter"
    assert what in message(several, "source", "target", "tags")


def test_a_list_of_tokens_is_joined_and_an_empty_list_is_the_empty_text(tmp_path):
    name = write(tmp_path / "a", pair([b"a", b"b,", b"c"], []), pair([b""], [b"  x y "]))
    assert list(pipeline(name)) == [("a b, c", ""), ("", "  x y ")]


def test_line_feeds_become_spaces(tmp_path):
    name = write(tmp_path / "a", pair(b"one\ntwo\r\nthree", "a\u2028b".encode()))
    assert list(pipeline(name)) == [("one two three", "a\u2028b")]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(texts, texts)))
def test_texts_are_read_as_they_were_written(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("pairs") / "a.tfrecord"
    name = write(path, *(pair(source.encode(), target.encode()) for source, target in pairs))
    assert list(pipeline(name)) == pairs


@pytest.mark.parametrize(
    ("example", "problem"),
    [
        ({"src": [b"a"], "target": [b"b"]}, "has no feature 'source'; it has 'src', 'target'"),
        ({"source": [b"a"]}, "has no feature 'target'; it has 'source'"),
        (
            {"source": [1, 2], "target": [b"b"]},
            "feature 'source' must hold bytes, but holds integers",
        ),
        (
            pair(b"a", b"caf\xe9"),
            "feature 'target' is not UTF-8 (byte 0xe9 at column 4)",
        ),
        (
            pair([b"a dog", b"one dog"], b"x"),
            "feature 'source' has 2 values, so each must be one token; got 'a dog'. "
            "Use one value per text",
        ),
        ({}, "has no feature 'source'; it has none; it may not be a tf.train.Example or "
         "SequenceExample"),
    ],
    ids=["source", "target", "integers", "latin-1", "several texts", "nothing"],
)  # fmt: skip
def test_a_record_without_two_texts_is_an_error(tmp_path, example, problem):
    good = pair(b"a", b"b")
    name = write(tmp_path / "a", good, example, good)
    assert message(name) == f"{name} record 2: {problem}"


def test_a_record_that_is_not_an_example_is_an_error(tmp_path):
    name = str(tmp_path / "a")
    write_records(name, [serialize_example(pair(b"a", b"b")), b"\xff" * 9])
    assert message(name) == (f"{name} record 2: is not a tf.train.Example")


def test_invalid_files_are_reported_before_anything_is_read(tmp_path):
    text = tmp_path / "a.txt"
    text.write_text("a dog\n")
    good = write(tmp_path / "a", pair(b"a", b"b"))
    for files, fields, expected in [
        (" ", (), f"{KEY}.files: no files; use TFRecord or array_record files"),
        (f"{good},{tmp_path}/none", (), f"{tmp_path}/none: cannot be read (No such file"),
        (str(text), (), f"{text}: is text, not a TFRecord file"),
        (good, ("sauce",), f"{good} record 1: has no feature 'sauce'"),
    ]:
        with pytest.raises(UserError) as error:
            pipeline(files, *fields)
        assert str(error.value).startswith(expected)


def test_the_digest_depends_only_on_bytes_and_fields(tmp_path):
    name = write(tmp_path / "a", pair(b"a", b"b"))
    copy = write(tmp_path / "copy", pair(b"a", b"b"))
    other = write(tmp_path / "other", pair(b"a", b"c"))
    digest = pipeline(name).content_digest()
    assert digest == pipeline(copy).content_digest()
    assert digest != pipeline(other).content_digest()
    assert digest != pipeline(name, "target", "source").content_digest()
    assert digest != pipeline(f"{name},{copy}").content_digest()


def test_a_compressed_file_without_the_suffix_gz_is_read(tmp_path):
    name = write(tmp_path / "a.tfrecord", pair(b"a", b"b"))
    packed = tmp_path / "packed.tfrecord"
    packed.write_bytes(gzip.compress((tmp_path / "a.tfrecord").read_bytes()))
    assert list(pipeline(f"{name},{packed}")) == [("a", "b")] * 2
