"""Runs the classes and commands of docs/extending.md."""

import re
import shlex
import sys
from pathlib import Path

import jax
import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.storage.metrics_log import read_metrics

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A directory with the page's Python as one file, and the files that its commands read."""
    (tmp_path / "my_parts.py").write_text("\n\n".join(blocks("python")), encoding="utf-8")
    (tmp_path / "questions.txt").write_text("1+2\n\n30+4\n", encoding="utf-8")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    jax.config.update("jax_disable_most_optimizations", True)  # each program runs a few times only
    yield tmp_path
    jax.config.update("jax_disable_most_optimizations", False)
    sys.modules.pop("my_parts", None)


def test_the_classes_of_the_page_train_and_infer_together(folder, capsys):
    commands = [shlex.split(block.replace("\\\n", " ")) for block in blocks("bash")]
    assert [command[:2] for command in commands] == [
        ["seq2seq-jax", "train"],
        ["seq2seq-jax", "train"],
        ["seq2seq-jax", "infer"],
    ]
    assert main(commands[0][1:]) == 0
    err = capsys.readouterr().err
    assert "step 4/4" in err and "8,571 read" in err
    norms = [line for line in read_metrics("runs/sums") if "norm/encoder" in line]
    assert [line["step"] for line in norms] == [2, 4]
    assert main([*commands[1][1:], "--config.buckets=22"]) == 0  # one shape to compile
    assert any("dev/length_ratio" in line for line in read_metrics("runs/parts"))
    capsys.readouterr()
    assert main(commands[2][1:]) == 0
    written = capsys.readouterr().out.split("\n")
    assert written[1] == written[3] == ""
    confident = (folder / "confident.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t") for line in confident] == [
        [question, text] for question, text in zip(["1+2", "", "30+4"], written, strict=False)
    ]


def test_the_encoder_of_the_page_has_at_most_twenty_lines():
    encoder = blocks("python")[0].partition("class")[2]
    assert len(encoder.strip().splitlines()) <= 20
