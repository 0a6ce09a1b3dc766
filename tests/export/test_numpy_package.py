"""The NumPy package: its files, its options, its command line."""

import hashlib
import json
import subprocess
import sys

import pytest

from seq2seq_jax.config import resolve
from seq2seq_jax.export import seq2seq_numpy as program
from seq2seq_jax.export.numpy_package import package_name, write_numpy_package
from seq2seq_jax.export.self_check import check_equality
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.utils.errors import UserError
from tests.tiny_exports import TEXTS, assert_equal, exported, in_numpy, tiny


def test_predict_takes_options_of_the_search(tmp_path):
    run = tiny(tmp_path / "run", "lstm, bidirectional, Bahdanau")
    options = {"beam_width": 3, "n_best": 3, "length_penalty_weight": 1.0}
    expected = Predictor.from_workdir(run.path, **options).predict(TEXTS)
    model = in_numpy(exported(run))
    assert_equal(model.predict(TEXTS, **options), expected)
    with pytest.raises(TypeError, match="unknown option beam; valid: beam_width, n_best"):
        model.predict(TEXTS, beam=3)
    with pytest.raises(ValueError, match=r"n_best must be between 1 and beam_width \(2\); got 3"):
        model.predict(TEXTS, beam_width=2, n_best=3)
    with pytest.raises(TypeError, match="texts must be a list of texts"):
        model.predict("a b")


@pytest.mark.parametrize("precision", ["int8", "float16"])
def test_rounded_weights_are_smaller_and_give_what_predictor_gives_with_them(precision, tmp_path):
    run = tiny(tmp_path / "run", "lstm, bidirectional, Bahdanau")
    rounded = exported(run, precision)
    predictor = Predictor([rounded.loaded], resolve(run.config()))
    if precision == "int8":
        loaded = Predictor.from_workdir(run.path, weights="int8")
        assert [p.score for p in loaded.predict(TEXTS)] == [
            p.score for p in predictor.predict(TEXTS)
        ]
    assert_equal(in_numpy(rounded).predict(TEXTS), predictor.predict(TEXTS))
    assert len(rounded.weights) < len(exported(run).weights)
    assert check_equality(rounded) < 1e-4


def test_the_package_runs_with_numpy_alone(tmp_path):
    run = tiny(tmp_path / "run", "GRU, dot, reversed, length penalty")
    model = exported(run)
    write_numpy_package(model, tmp_path / "tiny-model")
    package = tmp_path / "tiny-model" / "tiny_model"
    content = (package / "model.safetensors").read_bytes()
    config = json.loads((package / "config.json").read_text(encoding="utf-8"))
    assert config["sha256"] == hashlib.sha256(content).hexdigest()
    assert config["about"]["checkpoint"] == "step 10"
    code = (
        "import sys, tiny_model; print(tiny_model.load().predict(['a b c'])[0].text);"
        "print({'jax', 'flax', 'seq2seq_jax', 'safetensors'} & set(sys.modules))"
    )
    expected = Predictor.from_workdir(run.path).predict(TEXTS)
    for words in (["-c", code], ["-m", "tiny_model", "a b c"]):
        done = subprocess.run(
            [sys.executable, *words], cwd=package.parent, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[0] == expected[0].text
    assert "tiny_model.load()" in (tmp_path / "tiny-model" / "README.md").read_text()

    (package / "model.safetensors").write_bytes(content[:-1] + b"x")
    with pytest.raises(ValueError, match="damaged or of another model"):
        program.load(package)


def test_pip_installs_the_package(tmp_path):
    run = tiny(tmp_path / "run", "GRU, dot, reversed, length penalty")
    write_numpy_package(exported(run), tmp_path / "tiny-model")
    flags = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *flags, "--target", tmp_path / "installed"]
    subprocess.run([*command, tmp_path / "tiny-model"], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "tiny_model", "--n-best=1", "f"],
        cwd=tmp_path / "installed", capture_output=True, text=True, check=True,
    )  # fmt: skip
    (expected,) = Predictor.from_workdir(run.path, n_best=1).predict(["f"])
    score, text = done.stdout.rstrip("\n").split("\t")
    assert text == expected.text
    assert float(score) == pytest.approx(expected.n_best[0].score, abs=1e-3)


def test_the_command_line_of_the_package_prints_texts_or_scores(tmp_path, capsys):
    run = tiny(tmp_path / "run", "GRU, dot, reversed, length penalty")
    write_numpy_package(exported(run), tmp_path / "model")
    arguments = [f"--model={tmp_path / 'model' / 'model'}", "a b c", "f"]
    expected = Predictor.from_workdir(run.path).predict(["a b c", "f"])
    program.main(arguments)
    assert capsys.readouterr().out.splitlines() == [p.text for p in expected]
    program.main([arguments[0], "a b c d a b c", "a b c d a b c d"])
    assert capsys.readouterr().err == (
        "truncated to 8 tokens, including SEQUENCE_END: a b c d a b c d\n"
    )
    program.main([*arguments, "--n-best=2"])
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [text for _, text in lines] == [h.text for p in expected for h in p.n_best[:2]]


@pytest.mark.parametrize("name", ["1st", "class", "json", "numpy", "naïve", "__"])
def test_the_output_names_a_package(name, tmp_path):
    with pytest.raises(UserError, match="--output: its last part is the name of a Python package"):
        package_name(tmp_path / name)
