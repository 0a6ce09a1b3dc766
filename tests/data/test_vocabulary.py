import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_jax.data.vocabulary import (
    SPECIAL_TOKENS,
    Vocabulary,
    build_vocabulary,
    vocabulary_from_counts,
)
from seq2seq_jax.utils.errors import UserError


def error_of_reading(path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as error:
        Vocabulary.read(path)
    return str(error.value)


@pytest.mark.parametrize("content", ["hello\nworld\n笑\n", "hello\t10\nworld\t5\n笑\t3\n"])
def test_ids_are_those_of_google_seq2seq_with_and_without_counts(tmp_path, content):
    path = tmp_path / "vocab"
    path.write_text(content, encoding="utf-8")
    vocabulary = Vocabulary.read(path)
    tokens = ["hello", "world", "笑", "xyz", "", "UNK", "SEQUENCE_START", "SEQUENCE_END", "Hello"]
    assert vocabulary.encode(tokens) == [0, 1, 2, 3, 3, 3, 4, 5, 3]
    assert vocabulary.decode([0, 1, 2, 3, 4, 5, 6, -1]) == [
        *("hello", "world", "笑", "UNK", "SEQUENCE_START", "SEQUENCE_END", "UNK", "UNK")
    ]
    assert vocabulary.size == 6
    assert vocabulary.unk_id == 3
    assert vocabulary.sequence_start_id == 4
    assert vocabulary.sequence_end_id == 5


def test_numpy_ids_are_decoded():
    assert Vocabulary(["a", "b"]).decode(np.array([1, 0, 9], np.int32)) == ["b", "a", "UNK"]


def test_tokens_are_sorted_by_count_and_then_by_token_both_descending():
    vocabulary = build_vocabulary([["b", "a", "c", "a"], ["d", "d", "d", "b"]])
    assert vocabulary.tokens == ("d", "b", "a", "c")


def test_a_token_must_occur_more_often_than_the_minimum_frequency():
    lists = [["a"] * 3 + ["b"] * 2 + ["c"]]
    assert build_vocabulary(lists, min_frequency=1).tokens == ("a", "b")
    assert build_vocabulary(lists, min_frequency=2).tokens == ("a",)
    assert build_vocabulary(lists, max_size=1).tokens == ("a",)
    assert build_vocabulary(lists, min_frequency=3).tokens == ()


def test_special_tokens_in_the_text_are_not_added_again():
    assert build_vocabulary([["SEQUENCE_END", "a", "UNK", "UNK"]]).tokens == ("a",)


def test_a_vocabulary_is_built_from_counts():
    assert vocabulary_from_counts([("b", 1), ("a", 3), ("c", 1)], max_size=2).tokens == ("a", "c")


tokens = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), min_size=1)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(tokens), min_size=1).filter(any))
def test_a_built_vocabulary_is_read_back_from_its_file(tmp_path_factory, token_lists):
    vocabulary = build_vocabulary([*token_lists, ["word"]])
    path = tmp_path_factory.mktemp("vocab") / "vocab"
    vocabulary.write(path)
    assert Vocabulary.read(path) == vocabulary
    assert [file.name for file in path.parent.iterdir()] == ["vocab"]


def test_tokens_that_a_file_cannot_hold_are_out_of_vocabulary():
    vocabulary = build_vocabulary([["a\tb", "\r", "\ufeff", "c"]])
    assert vocabulary.tokens == ("c",)


@pytest.mark.parametrize("token", SPECIAL_TOKENS)
def test_a_special_token_inside_a_file_is_an_error(tmp_path, token):
    path = tmp_path / "vocab"
    assert error_of_reading(path, f"a\n{token}\nb\n") == (
        f"{path}:2: {token} is a special token, which is always added; remove the line"
    )


def test_a_duplicate_token_is_an_error(tmp_path):
    path = tmp_path / "vocab"
    assert error_of_reading(path, "a\nb\na\n") == f"{path}:3: the token 'a' is also in line 1"


def test_an_empty_line_is_an_error(tmp_path):
    path = tmp_path / "vocab"
    text = "is empty; a vocabulary has one token per line"
    assert error_of_reading(path, "a\n\nb\n") == f"{path}:2: {text}"
    assert error_of_reading(path, "\t3\n") == f"{path}:1: {text}"


def test_a_file_without_tokens_is_an_error(tmp_path):
    path = tmp_path / "vocab"
    assert error_of_reading(path, "") == (
        f"{path}: has no tokens; a vocabulary has one token per line"
    )


@pytest.mark.parametrize("line", ["b", "b\tmany", "b\t1\t2"])
def test_a_line_without_the_count_that_the_first_line_has_is_an_error(tmp_path, line):
    path = tmp_path / "vocab"
    assert error_of_reading(path, f"a\t3\n{line}\n") == (
        f"{path}:2: {line!r} is not a token, a tab and a count as in line 1; "
        "use one form throughout"
    )


def test_a_vocabulary_that_is_not_utf8_is_an_error(tmp_path):
    path = tmp_path / "vocab"
    assert error_of_reading(path, b"a\n\xff\n").startswith(f"{path}:2: not UTF-8")


def test_a_missing_vocabulary_is_an_error(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        Vocabulary.read(tmp_path / "none")


@pytest.mark.parametrize("tokens", [["a", "a"], ["UNK"]])
def test_a_token_cannot_have_two_ids(tokens):
    with pytest.raises(ValueError, match="twice"):
        Vocabulary(tokens)
