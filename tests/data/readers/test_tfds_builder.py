import os
import signal
import subprocess
import sys

import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.data.readers.input_pipeline import TextPair
from seq2seq_jax.data.readers.tfds_builder import prepare_tfds
from seq2seq_jax.data.readers.tfds_pipeline import TFDSInputPipeline
from seq2seq_jax.utils.errors import UserError

PAIRS = [TextPair(f"a {i} 笑", f"b\u2028{i}") for i in range(2500)]


def read(data_dir, split, name="mine"):
    return list(TFDSInputPipeline(name, split, data_dir=str(data_dir), key="k"))


def message(*arguments, **keywords) -> str:
    with pytest.raises(UserError) as error:
        prepare_tfds(*arguments, **keywords)
    return str(error.value)


def test_a_corpus_is_prepared_once_and_read_at_random_access(tmp_path):
    import tensorflow_datasets as tfds

    folder = prepare_tfds({"train": PAIRS, "dev": PAIRS[:3]}, "mine", tmp_path)

    assert folder == tmp_path / "mine" / "1.0.0"
    assert "tensorflow" not in sys.modules
    source = tfds.data_source("mine", split="train", data_dir=tmp_path)
    assert len(source) == 2500
    for i in (2499, 0, 1000):
        assert (source[i]["source"].decode(), source[i]["target"].decode()) == PAIRS[i]
    own = tfds.builder_from_directory(folder)
    assert len(own.as_data_source("train[20%:]")) == 2000
    assert own.info.supervised_keys == ("source", "target")

    assert read(tmp_path, "train") == PAIRS
    assert read(tmp_path, "dev") == PAIRS[:3]


def test_the_same_pairs_make_the_same_files(tmp_path):
    def files(folder):
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    def prepared(where):
        return prepare_tfds({"train": PAIRS[:50]}, "mine", tmp_path / where)

    assert files(prepared("a")) == files(prepared("b"))


def test_what_is_there_already_is_left_as_it_is(tmp_path):
    folder = prepare_tfds({"train": PAIRS[:5]}, "mine", tmp_path)
    assert message({"train": PAIRS}, "mine", tmp_path) == (
        f"{folder}: is there already; another name or version, or removing it, would do"
    )
    assert len(read(tmp_path, "train")) == 5
    prepare_tfds({"train": PAIRS[:7]}, "mine", tmp_path, version="1.1.0")
    assert len(read(tmp_path, "train")) == 7


@pytest.mark.parametrize(
    ("splits", "name", "version", "told"),
    [
        ({"train": []}, "mine", "1.0.0", "train: has no pairs; a split needs at least one"),
        ({"train": PAIRS}, "My-Data", "1.0.0", "My-Data: names of datasets and splits are lower"),
        ({"Train": PAIRS}, "mine", "1.0.0", "Train: names of datasets and splits are lower"),
        ({"train": PAIRS}, "mine", "1", "mine: its version must be three numbers as in 1.0.0"),
    ],
)
def test_what_cannot_be_a_dataset_is_refused_and_leaves_nothing(
    tmp_path, splits, name, version, told
):
    assert message(splits, name, tmp_path, version=version).startswith(told)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    text = message({"train": PAIRS}, "mine", tmp_path / "file")
    assert text == f"{tmp_path}/file/mine/1.0.0: cannot be written (Not a directory)"


def test_an_error_while_reading_leaves_nothing(tmp_path):
    def pairs():
        yield from PAIRS
        raise UserError("corpus:2501", "not UTF-8")

    assert message({"train": pairs()}, "mine", tmp_path) == "corpus:2501: not UTF-8"
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_preparation_that_is_killed_leaves_nothing_that_looks_whole(tmp_path):
    code = """
import os, signal, sys
from seq2seq_jax.data.readers.tfds_builder import prepare_tfds
def pairs():
    for i in range(5000):
        yield f"a {i}", "b"
    os.kill(os.getpid(), signal.SIGKILL)
prepare_tfds({"dev": [("a", "b")], "train": pairs()}, "mine", sys.argv[1])
"""
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL

    (left,) = (tmp_path / "mine").iterdir()
    assert left.name.startswith("incomplete.")
    assert any(left.glob("*dev*")), "it was killed in the midst of writing"
    with pytest.raises(UserError, match=r"^k\.name: mine is not prepared in "):
        read(tmp_path, "dev")

    prepare_tfds({"train": PAIRS[:5]}, "mine", tmp_path)
    assert os.listdir(tmp_path / "mine") == ["1.0.0"]
    assert len(read(tmp_path, "train")) == 5


@pytest.fixture
def export(monkeypatch):
    """Runs the command, flags and overrides as on the command line."""

    def export(*flags: str) -> int:
        monkeypatch.setattr(
            "seq2seq_jax.cli.COMMANDS", {"export-tfds": "seq2seq_jax.commands.export_tfds"}
        )
        return main(["export-tfds", *flags])

    return export


def test_the_command_writes_the_pairs_of_a_configuration(export, tmp_path, capsys):
    flags = ["--config=configs/toy_reverse.py", "--name=toy", f"--data-dir={tmp_path}"]
    assert export(*flags, "--config.input_pipeline_train.params.split=dev") == 0

    output = capsys.readouterr()
    assert output.out == f"{tmp_path}/toy/1.0.0\n"
    assert "TFDSInputPipeline" in output.err
    train, dev = read(tmp_path, "train", "toy"), read(tmp_path, "dev", "toy")
    assert train == dev
    assert all(pair.target.split() == pair.source.split()[::-1] for pair in train)
    assert len(train) == 1000


def test_the_command_asks_for_what_it_needs(export, capsys):
    assert export("--config=configs/toy_reverse.py") == 2
    assert capsys.readouterr().err == "error: --name: is needed\n"
