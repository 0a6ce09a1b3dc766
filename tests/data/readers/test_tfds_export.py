import os
import signal
import subprocess
import sys

import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.data.readers.input_pipeline import TextExample, TextPair
from seq2seq_jax.data.readers.tfds_export import export_tfds
from seq2seq_jax.data.readers.tfds_pipeline import TFDSInputPipeline
from seq2seq_jax.utils.errors import UserError

PAIRS = [TextPair(f"a {i} 笑", f"b\u2028{i}") for i in range(2500)]


def read(data_dir, split, name="mine", **parameters):
    return list(TFDSInputPipeline(name, split, data_dir=str(data_dir), key="k", **parameters))


def message(*arguments, **keywords) -> str:
    with pytest.raises(UserError) as error:
        export_tfds(*arguments, **keywords)
    return str(error.value)


def test_an_exported_corpus_is_read_with_random_access(tmp_path):
    import tensorflow_datasets as tfds

    directory = export_tfds({"train": PAIRS, "dev": PAIRS[:3]}, "mine", tmp_path)

    assert directory == tmp_path / "mine" / "1.0.0"
    assert "tensorflow" not in sys.modules
    source = tfds.data_source("mine", split="train", data_dir=tmp_path)
    assert len(source) == 2500
    for i in (2499, 0, 1000):
        assert (source[i]["source"].decode(), source[i]["target"].decode()) == PAIRS[i]
    own = tfds.builder_from_directory(directory)
    assert len(own.as_data_source("train[20%:]")) == 2000
    assert own.info.supervised_keys == ("source", "target")

    assert read(tmp_path, "train") == PAIRS
    assert read(tmp_path, "dev") == PAIRS[:3]


def test_features_are_exported_with_the_pairs(tmp_path):
    examples = [TextExample("walk", "walked", "V;PST"), TextExample("be", "is")]
    export_tfds({"train": examples}, "mine", tmp_path)
    assert read(tmp_path, "train") == [("walk", "walked"), ("be", "is")]
    assert read(tmp_path, "train", features_feature="features") == examples


def test_the_same_pairs_make_the_same_files(tmp_path):
    def files(directory):
        return {path.name: path.read_bytes() for path in directory.iterdir()}

    def prepared(where):
        return export_tfds({"train": PAIRS[:50]}, "mine", tmp_path / where)

    assert files(prepared("a")) == files(prepared("b"))


def test_an_existing_dataset_is_not_overwritten(tmp_path):
    directory = export_tfds({"train": PAIRS[:5]}, "mine", tmp_path)
    assert message({"train": PAIRS}, "mine", tmp_path) == (
        f"{directory}: exists; use another name or version, or remove it"
    )
    assert len(read(tmp_path, "train")) == 5
    export_tfds({"train": PAIRS[:7]}, "mine", tmp_path, version="1.1.0")
    assert len(read(tmp_path, "train")) == 7


@pytest.mark.parametrize(
    ("splits", "name", "version", "expected"),
    [
        ({"train": []}, "mine", "1.0.0", "train: has no pairs; a split needs at least one"),
        (
            {"train": PAIRS},
            "My-Data",
            "1.0.0",
            "My-Data: names of datasets and splits must be",
        ),
        ({"Train": PAIRS}, "mine", "1.0.0", "Train: names of datasets and splits must be"),
        ({"train": PAIRS}, "mine", "1", "mine: the version must be three numbers such as 1.0.0"),
    ],
)
def test_an_invalid_dataset_is_rejected_and_leaves_no_files(
    tmp_path, splits, name, version, expected
):
    assert message(splits, name, tmp_path, version=version).startswith(expected)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_directory_that_cannot_be_written_is_reported_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    text = message({"train": PAIRS}, "mine", tmp_path / "file")
    assert text.startswith(f"{tmp_path}/file/mine/1.0.0: cannot be written (Not a directory)")


def test_an_error_while_reading_leaves_no_files(tmp_path):
    def pairs():
        yield from PAIRS
        raise UserError("corpus:2501", "not UTF-8")

    assert message({"train": pairs()}, "mine", tmp_path) == "corpus:2501: not UTF-8"
    assert list((tmp_path / "mine").iterdir()) == []


def test_an_export_that_is_killed_leaves_no_dataset(tmp_path):
    code = """
import os, signal, sys
from seq2seq_jax.data.readers.tfds_export import export_tfds
def pairs():
    for i in range(5000):
        yield f"a {i}", "b"
    os.kill(os.getpid(), signal.SIGKILL)
export_tfds({"dev": [("a", "b")], "train": pairs()}, "mine", sys.argv[1])
"""
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL

    (left,) = (tmp_path / "mine").iterdir()
    assert left.name.startswith(".1.0.0.") and left.name.endswith(".part")
    assert any(left.glob("*dev*")), "the process was killed while it was writing"
    with pytest.raises(UserError, match=r"^k\.name: mine is not prepared in "):
        read(tmp_path, "dev")

    export_tfds({"train": PAIRS[:5]}, "mine", tmp_path)
    assert os.listdir(tmp_path / "mine") == ["1.0.0"]
    assert len(read(tmp_path, "train")) == 5


@pytest.fixture
def export(monkeypatch):
    """Return a function that runs the command with flags and overrides."""

    def export(*flags: str) -> int:
        monkeypatch.setattr(
            "seq2seq_jax.cli.COMMANDS", {"export-tfds": "seq2seq_jax.commands.data.export_tfds"}
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


def test_the_command_requires_a_name(export, capsys):
    assert export("--config=configs/toy_reverse.py") == 2
    assert capsys.readouterr().err == (
        "error: command line: the following arguments are required: --name\n"
    )
