import os
import shutil
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_jax.data import tokenized_cache
from seq2seq_jax.data.tokenized_cache import TokenizedSide
from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizers

PAIRS = [("a b a", "x"), ("c", "y x x"), ("b", "")]


def tokens(side: TokenizedSide) -> list[list[str]]:
    distinct = list(side.tokens())
    return [[distinct[number] for number in side.rows[row]] for row in range(len(side.rows))]


def test_the_tokens_are_stored_with_their_counts(prepare):
    text = prepare(PAIRS)
    assert tokens(text.source) == [["a", "b", "a"], ["c"]]
    assert tokens(text.target) == [["x"], ["y", "x", "x"]]
    assert list(text.source.tokens()) == ["a", "b", "c"]
    assert text.source.counts.tolist() == [2, 1, 1]
    assert text.target.counts.tolist() == [3, 1]
    assert (len(text), text.read) == (2, 3)
    assert text.dropped == {"empty source": 0, "empty target": 1}


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=9),
    st.integers(1, 5),
)
def test_any_text_is_stored_unchanged_in_chunks_of_any_size(tmp_path_factory, texts, chunk):
    characters = Tokenizers(DelimiterTokenizer(""), DelimiterTokenizer(""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenized_cache, "CHUNK", chunk)
        text = tokenized_cache.tokenize_pairs(
            [(text, text) for text in texts], characters, "", tmp_path_factory.mktemp("cache")
        )
    assert tokens(text.source) == tokens(text.target) == [list(each) for each in texts if each]


def test_the_same_text_is_tokenized_once(prepare):
    def never():
        raise AssertionError
        yield

    first = prepare(PAIRS)
    again = tokenized_cache.tokenize_pairs(
        never(),
        Tokenizers(DelimiterTokenizer(" "), DelimiterTokenizer(" ")),
        repr(PAIRS),
        first.source.tokens_file.parents[1],
    )
    assert again.digest == first.digest
    assert tokens(again.source) == tokens(first.source)


def test_another_tokenizer_makes_another_entry(prepare):
    other = Tokenizers(DelimiterTokenizer(" "), DelimiterTokenizer(""))
    assert prepare(PAIRS).digest != prepare(PAIRS, other).digest
    assert tokens(prepare(PAIRS, other).target) == [["x"], list("y x x")]


def test_a_failure_leaves_no_files(tmp_path, prepare):
    def breaks_off():
        yield from PAIRS
        raise OSError

    words = Tokenizers(DelimiterTokenizer(" "), DelimiterTokenizer(" "))
    with pytest.raises(OSError):
        tokenized_cache.tokenize_pairs(breaks_off(), words, repr(PAIRS), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(prepare(PAIRS)) == 2


def test_files_of_a_killed_process_are_removed_and_those_of_a_living_one_are_not(tmp_path, prepare):
    directory = tmp_path / prepare(PAIRS).digest
    shutil.rmtree(directory)
    dead = 2**22 + 1  # above the largest process id of Linux
    killed, living = (
        tmp_path / f".{directory.name}.{socket.gethostname()}.{process}.part"
        for process in (dead, os.getppid())
    )
    killed.mkdir()
    living.mkdir()
    assert len(prepare(PAIRS)) == 2
    assert living.exists() and not killed.exists()


def spoil(directory, name):
    """Flip one bit of a file."""
    content = bytearray((directory / name).read_bytes())
    content[len(content) // 2] ^= 4
    (directory / name).write_bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        *(f"{side}.{part}" for side in ("source", "target") for part in ("ids", "offsets")),
        *(f"{side}.{part}" for side in ("source", "target") for part in ("counts", "tokens")),
        "summary.json",
    ],
)
@pytest.mark.parametrize(
    "damage",
    [
        spoil,
        lambda directory, name: os.truncate(directory / name, 3),
        lambda directory, name: os.truncate(directory / name, 0),
        lambda directory, name: (directory / name).unlink(),
    ],
    ids=["flip", "truncate", "empty", "delete"],
)
def test_a_damaged_file_is_noticed_and_the_text_tokenized_again(
    tmp_path, prepare, caplog, name, damage
):
    first = prepare(PAIRS)
    expected = tokens(first.source), tokens(first.target)
    damage(tmp_path / first.digest, name)
    again = prepare(PAIRS)
    assert (tokens(again.source), tokens(again.target)) == expected
    assert "tokenizing the text again, because the cache is damaged" in caplog.text
    caplog.clear()
    prepare(PAIRS)
    assert not caplog.text and [path.name for path in tmp_path.iterdir()] == [first.digest]


@pytest.mark.parametrize("name", ["source.ids", "summary.json", None])
def test_exchanged_files_of_two_texts_are_noticed(tmp_path, prepare, caplog, name):
    first, other = prepare(PAIRS), prepare([("b a c", "y")] * 3)
    expected = tokens(first.source)
    if name is None:
        shutil.rmtree(tmp_path / first.digest)
        shutil.copytree(tmp_path / other.digest, tmp_path / first.digest)
    else:
        shutil.copy(tmp_path / other.digest / name, tmp_path / first.digest / name)
    assert tokens(prepare(PAIRS).source) == expected
    assert "the cache is damaged" in caplog.text
