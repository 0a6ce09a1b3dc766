"""Damaged and unusual files give either the right result or one line that names the problem."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_jax.data.corpus import make_corpus
from seq2seq_jax.data.readers import text_lines
from seq2seq_jax.data.readers.parallel_text import ParallelTextInputPipeline
from seq2seq_jax.data.readers.tabular_text import TSVInputPipeline
from seq2seq_jax.data.readers.text_lines import check_readable, file_digest, read_lines
from seq2seq_jax.data.tokenized_cache import tokenize_pairs
from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizers
from seq2seq_jax.data.vocabulary import SPECIAL_TOKENS, Vocabulary, vocabulary_from_counts
from seq2seq_jax.utils.errors import UserError

KEY = "input_pipeline_train.params"


def lines_of(data: bytes) -> list[str]:
    """Return the lines that a person sees; raises UnicodeDecodeError if they are not UTF-8."""
    text = data.decode("utf-8").removeprefix("\ufeff")
    lines = text.split("\n")
    if lines[-1] == "":
        del lines[-1]
    return [line.removesuffix("\r") for line in lines]


def outcome(action: Callable[[], object]) -> object:
    """Return the result of the action, or None for a user error, which has one line."""
    try:
        return action()
    except UserError as error:
        assert len(str(error).splitlines()) == 1
        return None


clean = st.sampled_from(["a", "b", "ab", "笑", " "])
odd = st.sampled_from(
    ["\0", "\ufeff", "\r", "\u2028", "\x85", "\x0b", "\u00a0", "\t", '"', ",", "UNK", "\U0001f600"]
)
line_ends = st.sampled_from([b"\n", b"\n", b"\r\n"])
broken = st.sampled_from([b"\xff", b"\xc3", b"\xe7\xac", b"\xed\xa0\x80", b"\xc0\x80"])
fragments = (clean | odd).map(str.encode)
lines = st.lists(fragments, max_size=5).map(b"".join)
dirty_bytes = st.lists(st.one_of(fragments, line_ends), max_size=20).map(b"".join) | st.lists(
    st.one_of(fragments, line_ends, broken), max_size=12
).map(b"".join)
paired_lines = st.lists(st.tuples(lines, lines), min_size=1, max_size=5).map(
    lambda pairs: tuple(
        b"".join(line + b"\n" for line in side) for side in zip(*pairs, strict=True)
    )
)


def corpus_of(names: list[str], tokenizers: Tokenizers, directory: Path) -> list[tuple]:
    """Convert files to ids and back to tokens, with vocabularies that were written and read."""
    pipeline = ParallelTextInputPipeline(*names, key=KEY)
    text = tokenize_pairs(pipeline, tokenizers, pipeline.content_digest(), directory / "cache")
    vocabularies = []
    for side in text[:2]:
        built = vocabulary_from_counts(zip(side.tokens(), side.counts.tolist(), strict=True))
        if built.tokens:
            built.write(directory / "vocab")
            assert Vocabulary.read(directory / "vocab") == built
        vocabularies.append(built)
    corpus = make_corpus(text, *vocabularies, source_max_len=999, target_max_len=999, key=KEY)
    sides = []
    for vocabulary, rows in zip(vocabularies, (corpus.source, corpus.target), strict=True):
        ids, lengths = rows.padded(np.arange(len(corpus)), int(rows.lengths.max()))
        sides.append(
            [
                vocabulary.decode(row[:length].tolist())
                for row, length in zip(ids, lengths, strict=True)
            ]
        )
    return list(zip(*sides, strict=True))


def expected_corpus(source: bytes, target: bytes, tokenizers: Tokenizers) -> list[tuple] | None:
    """Return the expected tokens, or None if there must be an error."""

    def as_kept(token: str) -> str:
        return "UNK" if any(mark in token for mark in "\t\r\n\ufeff") else token

    try:
        sources, targets = lines_of(source), lines_of(target)
    except UnicodeDecodeError:
        return None
    if len(sources) != len(targets):
        return None
    pairs = []
    for pair in zip(sources, targets, strict=True):
        words = [
            [as_kept(token) for token in tokenizer.split(line)]
            for tokenizer, line in zip(tokenizers[:2], pair, strict=True)
        ]
        if all(words):
            end = "SEQUENCE_END"
            pairs.append(([*words[0], end], ["SEQUENCE_START", *words[1], end]))
    return pairs or None


@settings(deadline=None, max_examples=150)
@given(
    paired_lines | st.tuples(dirty_bytes, dirty_bytes), st.sampled_from(["", " "]), st.booleans()
)
def test_any_two_files_become_the_right_corpus_or_a_one_line_error(
    tmp_path_factory, files, delimiter, packed
):
    directory = tmp_path_factory.mktemp("pairs")
    names = [str(directory / f"{side}{'.gz' if packed else ''}") for side in ("s", "t")]
    for name, data in zip(names, files, strict=True):
        Path(name).write_bytes(gzip.compress(data, 1) if packed else data)
    tokenizers = Tokenizers(DelimiterTokenizer(delimiter), DelimiterTokenizer(" "))
    found = outcome(lambda: corpus_of(names, tokenizers, directory))
    assert found == expected_corpus(*files, tokenizers)


@settings(deadline=None, max_examples=200)
@given(dirty_bytes, st.sampled_from(["tsv", "csv"]), st.booleans())
def test_any_table_becomes_pairs_of_lines_or_a_one_line_error(
    tmp_path_factory, data, format, header
):
    path = tmp_path_factory.mktemp("tables") / "table"
    path.write_bytes(b"a,b\ta\tb\n" + data if header else data)
    columns = ("a", "b") if header and format == "tsv" else ("1", "2")
    header = header and format == "tsv"

    def pairs():
        return list(TSVInputPipeline(str(path), *columns, format, header, key=KEY))

    found = outcome(pairs)
    assert found is None or not any("\n" in text for pair in found for text in pair)
    if format == "tsv" and found is not None:
        rows = [line.split("\t") for line in lines_of(path.read_bytes()) if line]
        first = 1 if header else 0
        assert found == [(row[first], row[first + 1]) for row in rows[first:]]


@settings(deadline=None, max_examples=150)
@given(dirty_bytes)
def test_any_vocabulary_file_is_read_or_reported_in_one_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("vocabularies") / "vocab"
    path.write_bytes(data)
    vocabulary = outcome(lambda: Vocabulary.read(path))
    try:
        lines = lines_of(data)
    except UnicodeDecodeError:
        lines = []
    good = lines and all(lines) and len(set(lines)) == len(lines)
    if good and not any("\t" in line or line in SPECIAL_TOKENS for line in lines):
        assert vocabulary.tokens == tuple(lines)
    else:
        assert vocabulary is None


def test_a_tab_in_a_vocabulary_must_precede_a_count(tmp_path):
    path = tmp_path / "vocab"
    path.write_text("a\t3\nb\t2\n")
    assert Vocabulary.read(path).tokens == ("a", "b")
    for content, expected in [
        (
            "a\nb\t3\n",
            ":2: 'b\\t3' is not a token alone, without a tab as in line 1",
        ),
        ("a\tb\t3\n", ":1: 'a\\tb\\t3' is not a token, a tab and a count"),
        ("a\tmany\n", ":1: 'a\\tmany' is not a token, a tab and a count"),
        ("a\t3\nb\t2\na\t1\n", ":3: the token 'a' is also in line 1"),
    ]:
        path.write_text(content)
        with pytest.raises(UserError) as error:
            Vocabulary.read(path)
        assert str(error.value).startswith(f"{path}{expected}")


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_a_truncated_gzip_file_is_reported_in_one_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("gzip") / "text.gz"
    whole = gzip.compress("".join(f"line {i * i}\n" for i in range(50)).encode(), mtime=0)
    length = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:length])
    with pytest.raises(UserError) as error:
        list(read_lines(path))
    assert str(error.value).startswith(f"{path}: cannot be read (")
    assert len(str(error.value).splitlines()) == 1


def test_the_last_readable_line_of_a_truncated_gzip_file_is_reported(tmp_path):
    path = tmp_path / "text.gz"
    lines = [os.urandom(50_000).hex() for _ in range(3)]
    path.write_bytes(gzip.compress("\n".join(lines).encode())[:-9])
    reading = read_lines(path)
    assert [next(reading), next(reading)] == lines[:2]
    with pytest.raises(UserError, match=r"end-of-stream .*; line 2 is the last readable line$"):
        next(reading)


def test_a_gzip_file_without_the_suffix_gz_is_recognized(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(gzip.compress(b"a\n"))
    with pytest.raises(UserError, match=r":1: not UTF-8 .* a gzip file; use a name that ends"):
        list(read_lines(path))


def test_lines_of_a_million_characters_are_read(tmp_path):
    source, target = tmp_path / "s", tmp_path / "t.gz"
    source.write_text("笑" * 1_000_000 + "\n" + "a " * 500_000 + "\n")
    target.write_bytes(gzip.compress(b"x\n" + b"y" * 1_000_000))
    tokenizers = Tokenizers(DelimiterTokenizer(" "), DelimiterTokenizer(""))
    pipeline = ParallelTextInputPipeline(str(source), str(target), key=KEY)
    text = tokenize_pairs(pipeline, tokenizers, pipeline.content_digest(), tmp_path / "cache")
    assert text.source.rows.lengths.tolist() == [1, 500_000]
    assert text.target.rows.lengths.tolist() == [1, 1_000_000]


@pytest.mark.parametrize("name", ["text", "text.gz"])
def test_a_line_without_end_is_rejected_before_it_fills_the_memory(tmp_path, monkeypatch, name):
    monkeypatch.setattr(text_lines, "MAX_LINE_BYTES", 1000)
    path = tmp_path / name
    data = b"a\n" + b"b" * 999 + b"\n" + b"c" * 1001
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    with pytest.raises(UserError) as error:
        list(read_lines(path))
    assert str(error.value) == (
        f"{path}:3: longer than 1,000 bytes; text has a line feed after every line"
    )


def test_a_pipe_is_rejected_because_it_can_be_read_only_once(tmp_path):
    path = str(tmp_path / "pipe")
    os.mkfifo(path)  # it has no writer, so opening it would never return
    for read in (
        lambda: check_readable(path),
        lambda: list(read_lines(path)),
        lambda: file_digest(path),
        lambda: Vocabulary.read(path),
        lambda: ParallelTextInputPipeline(path, path, key=KEY),
        lambda: TSVInputPipeline(path, "1", "2", "tsv", key=KEY),
    ):
        with pytest.raises(UserError) as error:
            read()
        assert str(error.value) == (
            f"{path}: is a pipe, which can be read only once, but this input is read several"
            " times; use a file"
        )
    check_readable(path, single_pass=True)


def append(path, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)


def test_a_file_that_grows_while_it_is_read_is_reported_in_one_line(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"first\nand the second, half writ")

    def follow():
        for _ in read_lines(path):
            append(path, b"more\n")  # as fast as the reader, which would never reach the end

    with pytest.raises(UserError, match=r"had 31 bytes when it was opened and has .* writing to"):
        follow()


def test_a_gzip_file_that_grows_while_it_is_read_is_reported_in_one_line(tmp_path):
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(os.urandom(300_000).hex().encode() + b"\nlast\n"))
    lines = read_lines(path)
    next(lines)
    append(path, gzip.compress(b"more\n"))
    with pytest.raises(UserError, match="something is writing to it"):
        list(lines)


def test_a_file_that_is_truncated_while_it_is_read_is_reported_in_one_line(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"line\n" * 100_000)
    lines = read_lines(path)
    next(lines)
    os.truncate(path, 200_000)
    with pytest.raises(UserError, match=r"had 500,000 bytes .* has 200,000 now"):
        list(lines)


def test_files_that_grow_together_are_reported_as_growing_and_not_as_unequal(tmp_path):
    source, target = tmp_path / "s", tmp_path / "t"
    for path in (source, target):
        path.write_bytes(b"line\n" * 100)
    pairs = iter(ParallelTextInputPipeline(str(source), str(target), key=KEY))
    next(pairs)
    for path in (source, target):
        append(path, b"line\n" * 100)
    with pytest.raises(UserError, match="something is writing to it"):
        list(pairs)


def test_an_impossible_file_name_is_reported_in_one_line():
    with pytest.raises(UserError, match="cannot be read"):
        list(read_lines("a\0b"))
