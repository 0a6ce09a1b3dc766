import os
import shutil
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_jax.data import tokenized_cache as prepared_text
from seq2seq_jax.data.tokenized_cache import PreparedSide
from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizers

PAIRS = [("a b a", "x"), ("c", "y x x"), ("b", "")]


def words(side: PreparedSide) -> list[list[str]]:
    tokens = list(side.tokens())
    return [[tokens[number] for number in side.words[row]] for row in range(len(side.words))]


def test_the_words_come_back_with_their_counts(prepare):
    text = prepare(PAIRS)
    assert words(text.source) == [["a", "b", "a"], ["c"]]
    assert words(text.target) == [["x"], ["y", "x", "x"]]
    assert list(text.source.tokens()) == ["a", "b", "c"]
    assert text.source.counts.tolist() == [2, 1, 1]
    assert text.target.counts.tolist() == [3, 1]
    assert (len(text), text.read) == (2, 3)
    assert text.dropped == {"empty source": 0, "empty target": 1}


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=9),
    st.integers(1, 5),
)
def test_any_text_comes_back_whatever_is_written_at_once(tmp_path_factory, texts, chunk):
    characters = Tokenizers(DelimiterTokenizer(""), DelimiterTokenizer(""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared_text, "_CHUNK", chunk)
        text = prepared_text.prepare_text(
            [(text, text) for text in texts], characters, "", tmp_path_factory.mktemp("cache")
        )
    assert words(text.source) == words(text.target) == [list(each) for each in texts if each]


def test_the_same_text_is_read_once(prepare):
    def never():
        raise AssertionError
        yield

    first = prepare(PAIRS)
    again = prepared_text.prepare_text(
        never(),
        Tokenizers(DelimiterTokenizer(" "), DelimiterTokenizer(" ")),
        repr(PAIRS),
        first.source.tokens_file.parents[1],
    )
    assert again.digest == first.digest
    assert words(again.source) == words(first.source)


def test_another_way_to_split_is_another_text(prepare):
    other = Tokenizers(DelimiterTokenizer(" "), DelimiterTokenizer(""))
    assert prepare(PAIRS).digest != prepare(PAIRS, other).digest
    assert words(prepare(PAIRS, other).target) == [["x"], list("y x x")]


def test_a_preparation_that_fails_leaves_nothing(tmp_path, prepare):
    def breaks_off():
        yield from PAIRS
        raise OSError

    words = Tokenizers(DelimiterTokenizer(" "), DelimiterTokenizer(" "))
    with pytest.raises(OSError):
        prepared_text.prepare_text(breaks_off(), words, repr(PAIRS), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(prepare(PAIRS)) == 2


def test_what_a_killed_preparation_left_is_cleared_away_and_a_living_ones_is_not(tmp_path, prepare):
    folder = tmp_path / prepare(PAIRS).digest
    shutil.rmtree(folder)
    dead = 2**22 + 1  # above the largest number that Linux gives to a process
    killed, living = (
        tmp_path / f"{folder.name}.{socket.gethostname()}.{process}.part"
        for process in (dead, os.getppid())
    )
    killed.mkdir()
    living.mkdir()
    assert len(prepare(PAIRS)) == 2
    assert living.exists() and not killed.exists()
