import filecmp

import pytest

from seq2seq_jax.data.readers.toy import toy_reverse
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.utils.errors import UserError


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_a_directory_gets_the_builtin_corpus_and_its_vocabularies(command, tmp_path):
    out, err = command("toy", "reverse", tmp_path / "toy")
    assert out == f"{tmp_path}/toy\n"
    assert "train: 10,000 pairs of 5 to 20 tokens\n" in err
    for split in ("train", "dev", "test"):
        directory = tmp_path / "toy" / split
        found = zip(lines(directory / "sources.txt"), lines(directory / "targets.txt"), strict=True)
        assert list(found) == list(toy_reverse(split))
    for side in ("sources", "targets"):
        vocabulary = Vocabulary.read(tmp_path / "toy" / "train" / f"vocab.{side}.txt")
        assert sorted(vocabulary.tokens) == sorted([*map(str, range(19)), "笑"])


def test_size_lengths_tokens_and_seed_are_options(command, tmp_path):
    sizes = ("--train=50", "--dev=7", "--test=0")
    chosen = (*sizes, "--min-length=1", "--max-length=3", "--vocab-size=4")
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        command("toy", "copy", tmp_path / name, *chosen, f"--seed={seed}")
    train = tmp_path / "one" / "train"
    texts = lines(train / "sources.txt")
    assert texts == lines(train / "targets.txt")
    assert len(texts) == 50
    assert len(lines(tmp_path / "one" / "dev" / "sources.txt")) == 7
    assert not (tmp_path / "one" / "test").exists()
    assert {len(text.split()) for text in texts} == {1, 2, 3}
    assert {token for text in texts for token in text.split()} == {"0", "1", "2", "笑"}
    files = ["train/sources.txt", "train/vocab.sources.txt", "dev/targets.txt"]
    same = filecmp.cmpfiles(tmp_path / "one", tmp_path / "same", files, shallow=False)
    assert same == (files, [], [])
    assert lines(tmp_path / "other" / "train" / "sources.txt") != texts


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--min-length=0", "--min-length: must be at least 1; got 0"),
        ("--max-length=4", "--max-length: must be at least 5; got 4"),
        ("--vocab-size=0", "--vocab-size: must be at least 1; got 0"),
        ("--dev=-1", "--dev: must be at least 0; got -1"),
    ],
)
def test_invalid_numbers_are_reported_in_one_line(command, tmp_path, flag, expected):
    with pytest.raises(UserError) as error:
        command("toy", "copy", tmp_path, flag)
    assert str(error.value) == expected
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_instead_of_the_directory_is_an_error(command, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"taken/train/sources.txt: cannot be written"):
        command("toy", "copy", tmp_path / "taken")
