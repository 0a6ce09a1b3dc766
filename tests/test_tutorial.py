"""Runs the commands of docs/tutorial_seq2seq.md and docs/visualization.md."""

import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.storage.metrics_log import read_metrics

ROOT = Path(__file__).parents[1]

# Replacements that make the tutorial's model tiny and its training short.
SHORTER = {
    "toy reverse reverse": "toy reverse reverse --train=24 --dev=3 --test=3 --max-length=6",
    '"num_units": 128': '"num_units": 4',
    "embedding.dim = 128": "embedding.dim = 4",
    'config.buckets = "22"': 'config.buckets = "8"\n    config.inference.max_decode_length = 8',
    "train_steps = 1500": "train_steps = 4",
    "eval_every_n_steps = 500": "eval_every_n_steps = 2",
    '"step": 20': '"step": 3',
    '"every_n_steps": 500': '"every_n_steps": 2',
    "train_steps=500": "train_steps=4",
}


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def write_python(text, folder):
    """Writes each Python block to the file that its first line names."""
    for block in blocks(text, "python"):
        name = block.partition("\n")[0].removeprefix("# ")
        (folder / name).write_text(block, encoding="utf-8")


def run_here(line):
    """Runs a command of this package in this process, and any other in a shell."""
    words = shlex.split(line, comments=True)
    if words[0] != "seq2seq-jax":
        subprocess.run(line, shell=True, check=True, stdout=subprocess.DEVNULL)
        return
    with contextlib.ExitStack() as stack:
        if ">" in words:
            file = stack.enter_context(open(words[-1], "w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(file))
            words = words[: words.index(">")]
        assert main(words[1:]) == 0


@pytest.fixture
def _quick_compilation():
    """Compiles with few optimizations, because each program runs once."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.usefixtures("_quick_compilation")
def test_every_command_of_the_tutorial_works_with_a_tiny_model(tmp_path, monkeypatch):
    text = page("tutorial_seq2seq.md")
    for long, short in SHORTER.items():
        assert long in text
        text = text.replace(long, short)
    monkeypatch.chdir(tmp_path)
    write_python(text, tmp_path)
    for block in blocks(text, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            run_here(line)

    run = Path("runs/reverse")
    assert (run / "model_analysis.txt").is_file()
    assert len(list(run.glob("profile/plugins/profile/*/*.trace.json.gz"))) == 1
    assert [x["step"] for x in read_metrics(run) if "train/samples" in x] == [1, 2, 4]
    for name in ("greedy.txt", "beam.txt", "replaced.txt"):
        assert len(Path(name).read_text("utf-8").split("\n")) == 4
    assert "UNK" not in Path("replaced.txt").read_text("utf-8")
    with np.load("beams.npz") as beams, np.load("attention/attention_scores.npz") as attention:
        assert beams["predicted_ids"].shape[::2] == (3, 5)
        assert list(attention) == ["arr_0", "arr_1", "arr_2"]
    for name in (
        "attention/00002.png",
        "trees/00000.html",
        "compared.png",
        "compared.html",
        run / "error_report.html",
        run / "learning_curve.html",
    ):
        assert Path(name).stat().st_size


@pytest.mark.slow
def test_the_model_of_the_tutorial_makes_almost_no_errors(tmp_path):
    texts = [page("tutorial_seq2seq.md"), page("visualization.md")]
    write_python(texts[0], tmp_path)
    ours = 'seq2seq-jax() { "$PYTHON" -m seq2seq_jax "$@"; }\n'
    commands = [
        block
        for text in texts
        for block in blocks(text, "bash")
        if "runs/captions" not in block  # another page trains this model
    ]
    script = "set -e\n" + ours + "".join(commands)
    environment = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    sources = (tmp_path / "reverse/test/sources.txt").read_text("utf-8").splitlines()
    replaced = (tmp_path / "replaced.txt").read_text("utf-8").splitlines()
    wrong = sum(
        answer.split() != source.split()[::-1]
        for source, answer in zip(sources, replaced, strict=True)
    )
    assert wrong <= 5  # none on the machine of the page; other processors round differently
    assert "substituted: 8 → UNK" in done.stdout
    assert (tmp_path / "attention/00002.svg").is_file()
