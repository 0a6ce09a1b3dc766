"""The core asks the problem, and imports no code for images."""

import ast

import pytest

from seq2seq_jax.captioning.problem import ImageProblem
from seq2seq_jax.cli import main
from seq2seq_jax.config import default_config, resolve, write_config
from seq2seq_jax.problems.protocol import all_problems, problem_of
from seq2seq_jax.problems.text import TextProblem
from tests.documented_commands import ROOT

PACKAGE = ROOT / "seq2seq_jax"


def imported_modules(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def test_no_package_but_captioning_imports_captioning():
    files = [file for file in PACKAGE.rglob("*.py") if PACKAGE / "captioning" not in file.parents]
    found = {
        (file.relative_to(PACKAGE).as_posix(), name)
        for file in files
        for name in imported_modules(file)
        if name.startswith("seq2seq_jax.captioning")
    }

    assert found == set()


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("BasicSeq2Seq", TextProblem),
        ("AttentionSeq2Seq", TextProblem),
        ("Image2Seq", ImageProblem),
    ],
)
def test_the_model_decides_which_problem_it_solves(model, problem):
    assert type(problem_of(default_config(model))) is problem
    assert problem in [type(each) for each in all_problems()]


@pytest.fixture
def image_workdir(tmp_path):
    write_config(resolve(default_config("Image2Seq")), tmp_path / "config.json")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [["score"], ["errors"], ["attention", "--output=x"], ["beam-tree", "--output=x"]],
)
def test_commands_for_texts_refuse_image_models_in_one_line(image_workdir, command, capsys):
    assert main([*command, f"--workdir={image_workdir}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"error: {image_workdir}: this command reads texts, but the sources of Image2Seq are"
        " images; use infer --page, or prepare"
    )


def test_statistics_of_images_are_refused_in_one_line(capsys):
    config = ROOT / "configs" / "image_captioning.py"
    assert main(["stats", f"--config={config}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: input_pipeline_train.class: this command reads texts")


def test_arguments_of_another_problem_are_refused_in_one_line(image_workdir, tmp_path, capsys):
    assert main(["infer", f"--workdir={image_workdir}", "--tasks=DumpBeams"]) == 2
    text_workdir = tmp_path / "text"
    text_workdir.mkdir()
    write_config(resolve(default_config("AttentionSeq2Seq")), text_workdir / "config.json")
    assert main(["infer", f"--workdir={text_workdir}", "--page=x.html"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: --tasks: is for text models; this workdir is of image models",
        "error: --page: is for image models; this workdir is of text models",
    ]
