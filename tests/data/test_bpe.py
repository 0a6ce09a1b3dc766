"""Byte-pair encoding, compared with the output of subword-nmt in subword_nmt.json."""

import json
from pathlib import Path

import pytest

from seq2seq_jax.data.bpe import MAX_WORD_LENGTH, BPECodes, join_pieces, learn_bpe
from seq2seq_jax.utils.errors import UserError

GOLDEN = json.loads(Path(__file__).with_name("subword_nmt.json").read_text("utf-8"))


def write(path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return str(path)


def message(path) -> str:
    with pytest.raises(UserError) as error:
        BPECodes.read(path)
    return str(error.value)


def test_the_learned_merges_are_those_of_subword_nmt():
    assert learn_bpe(GOLDEN["counts"], 120).to_bytes().decode().splitlines() == GOLDEN["codes"]


@pytest.mark.parametrize(("codes", "pieces"), [("codes", "pieces"), ("codes_0.1", "pieces_0.1")])
def test_the_pieces_of_words_are_those_of_subword_nmt(tmp_path, codes, pieces):
    read = BPECodes.read(write(tmp_path / "codes", *GOLDEN[codes]))
    segments = {word: read.segment(word) for word in GOLDEN[pieces]}
    assert {word: "@@ ".join(parts) for word, parts in segments.items()} == GOLDEN[pieces]


def test_equally_frequent_pairs_are_merged_in_descending_order():
    merges = learn_bpe({"ab": 2, "cd": 2, "ce": 2, "zz": 1}, 10).merges
    assert merges == (("c", "e</w>"), ("c", "d</w>"), ("a", "b</w>"))


def test_learning_stops_at_rare_pairs_or_at_the_number_of_merges():
    assert learn_bpe({"abc": 1}, 10).merges == ()
    assert learn_bpe({"abc": 1}, 10, min_frequency=1).merges == (("b", "c</w>"), ("a", "bc</w>"))
    assert learn_bpe({"abc": 9}, 1).merges == (("b", "c</w>"),)
    assert learn_bpe({}, 10).merges == learn_bpe({"a": 5}, 10).merges == ()


def test_nothing_is_learned_from_words_that_a_file_of_codes_cannot_hold(tmp_path):
    counts = {"a b": 9, "c\nd": 9, "e\rf": 9, "g" * (MAX_WORD_LENGTH + 1): 9, "h\u00a0\u2028i": 9}
    codes = learn_bpe(counts, 100)
    codes.write(tmp_path / "codes")
    assert len(codes.merges) == 3
    assert BPECodes.read(tmp_path / "codes") == codes


def test_codes_are_read_back_from_their_file_and_no_other_file_is_left(tmp_path):
    codes = learn_bpe(GOLDEN["counts"], 50)
    old = BPECodes((("a", "b"), ("ab", "</w>")), "0.1")
    for written in (old, codes, old):
        written.write(tmp_path / "codes")
        assert BPECodes.read(tmp_path / "codes") == written
    assert [path.name for path in tmp_path.iterdir()] == ["codes"]


def test_a_long_text_without_spaces_is_segmented_quickly():
    codes = learn_bpe(GOLDEN["counts"], 120)
    word = "Straßenbahn" * 20_000
    pieces = codes.segment(word)
    assert "".join(pieces) == word
    assert pieces[-6:] == codes.segment("Straßenbahn")


@pytest.mark.parametrize(
    ("lines", "where", "what"),
    [
        (
            ["#version: 0.2", "a b", "c"],
            ":3",
            "a merge must be two symbols separated by a space; got 'c'",
        ),
        (["a b c"], ":1", "a merge must be two symbols separated by a space; got 'a b c'"),
        (
            ["#version: 0.2", "a b", "", "c d"],
            ":3",
            "a merge must be two symbols separated by a space; got ''",
        ),
        (["#version: 0.3", "a b"], ":1", "unknown version '0.3' of BPE codes; valid: 0.1, 0.2"),
        ([], "", "is empty; BPE codes have a version line and then one merge per line"),
    ],
)
def test_a_file_without_valid_codes_is_an_error_that_names_the_line(tmp_path, lines, where, what):
    path = write(tmp_path / "codes", *lines)
    assert message(path).startswith(f"{path}{where}: {what}")


def test_a_missing_file_of_codes_is_an_error():
    assert message("nowhere").startswith("nowhere: cannot be read")


def test_the_last_piece_ends_a_word_even_with_a_continuation_mark():
    assert join_pieces(["ni@@", "ki@@", "tin", ".", "a@@@", "@", "b@@"]) == [
        "nikitin",
        ".",
        "a@@",
        "b@@",
    ]
    assert join_pieces([]) == []
