"""Byte-pair encoding; what subword-nmt makes of the same words is in subword_nmt.json."""

import json
from pathlib import Path

import pytest

from seq2seq_jax.data.bpe import LONGEST_WORD, BPECodes, join_pieces, learn_bpe
from seq2seq_jax.utils.errors import UserError

GOLDEN = json.loads(Path(__file__).with_name("subword_nmt.json").read_text("utf-8"))


def write(path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return str(path)


def message(path) -> str:
    with pytest.raises(UserError) as error:
        BPECodes.read(path)
    return str(error.value)


def test_the_merges_learnt_are_those_of_subword_nmt():
    assert learn_bpe(GOLDEN["counts"], 120).to_bytes().decode().splitlines() == GOLDEN["codes"]


@pytest.mark.parametrize(("codes", "pieces"), [("codes", "pieces"), ("codes_0.1", "pieces_0.1")])
def test_the_pieces_of_words_are_those_of_subword_nmt(tmp_path, codes, pieces):
    read = BPECodes.read(write(tmp_path / "codes", *GOLDEN[codes]))
    segments = {word: read.segment(word) for word in GOLDEN[pieces]}
    assert {word: "@@ ".join(parts) for word, parts in segments.items()} == GOLDEN[pieces]


def test_of_equally_frequent_pairs_the_one_that_sorts_last_is_merged_first():
    merges = learn_bpe({"ab": 2, "cd": 2, "ce": 2, "zz": 1}, 10).merges
    assert merges == (("c", "e</w>"), ("c", "d</w>"), ("a", "b</w>"))


def test_learning_stops_at_pairs_that_are_seen_once_or_when_there_are_enough():
    assert learn_bpe({"abc": 1}, 10).merges == ()
    assert learn_bpe({"abc": 1}, 10, min_frequency=1).merges == (("b", "c</w>"), ("a", "bc</w>"))
    assert learn_bpe({"abc": 9}, 1).merges == (("b", "c</w>"),)
    assert learn_bpe({}, 10).merges == learn_bpe({"a": 5}, 10).merges == ()


def test_words_that_a_file_of_codes_cannot_hold_teach_nothing(tmp_path):
    counts = {"a b": 9, "c\nd": 9, "e\rf": 9, "g" * (LONGEST_WORD + 1): 9, "h\u00a0\u2028i": 9}
    codes = learn_bpe(counts, 100)
    codes.write(tmp_path / "codes")
    assert len(codes.merges) == 3
    assert BPECodes.read(tmp_path / "codes") == codes


def test_codes_come_back_from_their_file_and_leave_no_other(tmp_path):
    codes = learn_bpe(GOLDEN["counts"], 50)
    old = BPECodes((("a", "b"), ("ab", "</w>")), "0.1")
    for written in (old, codes, old):
        written.write(tmp_path / "codes")
        assert BPECodes.read(tmp_path / "codes") == written
    assert [path.name for path in tmp_path.iterdir()] == ["codes"]


def test_a_text_without_blanks_is_one_word_and_takes_no_longer_than_others():
    codes = learn_bpe(GOLDEN["counts"], 120)
    word = "Straßenbahn" * 20_000
    pieces = codes.segment(word)
    assert "".join(pieces) == word
    assert pieces[-6:] == codes.segment("Straßenbahn")


@pytest.mark.parametrize(
    ("lines", "where", "what"),
    [
        (["#version: 0.2", "a b", "c"], ":3", "'c' is not a merge, which is two symbols"),
        (["a b c"], ":1", "'a b c' is not a merge"),
        (["#version: 0.2", "a b", "", "c d"], ":3", "'' is not a merge"),
        (["#version: 0.3", "a b"], ":1", "codes of version '0.3'; valid: 0.1, 0.2"),
        ([], "", "is empty: codes have a version and then one merge on every line"),
    ],
)
def test_a_file_that_holds_no_codes_is_told_with_its_line(tmp_path, lines, where, what):
    path = write(tmp_path / "codes", *lines)
    assert message(path).startswith(f"{path}{where}: {what}")


def test_a_missing_file_of_codes_is_told():
    assert message("nowhere").startswith("nowhere: cannot be read")


def test_the_last_piece_is_a_word_whatever_it_looks_like():
    assert join_pieces(["ni@@", "ki@@", "tin", ".", "a@@@", "@", "b@@"]) == [
        "nikitin",
        ".",
        "a@@",
        "b@@",
    ]
    assert join_pieces([]) == []
