"""Every command with an image configuration: it works, or says in one line what to use."""

import pytest

from seq2seq_jax.cli import COMMANDS, main
from tests.tiny_images import write_images

CONFIG = """
from pathlib import Path
from tests.captioning.test_training import config_of

def get_config():
    return config_of(Path(__file__).parent, train_steps=2, eval_every_n_steps=2)
"""
WORKING = {
    "train": "--config={config} --workdir={run}",
    "prepare": "--config={config} --workdir={new}",
    "eval": "--workdir={run} --trust-custom-code",
    "infer": "--workdir={run} --trust-custom-code {images}",
    "inspect": "--workdir={run} --trust-custom-code",
    "curves": "{run}",
    "plot-schedule": "--config={config} --output={new}.png",
    "pack": "--workdir={run} --trust-custom-code --output={new}.zip",
    "export-weights": "--workdir={run} --trust-custom-code --output={new}_weights",
}
REFUSED = {
    "score": "--workdir={run} --trust-custom-code --input={pairs}",
    "errors": "--workdir={run} --trust-custom-code",
    "attention": "--workdir={run} --trust-custom-code --output={new} line",
    "beam-tree": "--workdir={run} --trust-custom-code --output={new} line",
    "stats": "--config={config} --plot=",
    "export-tfds": "--config={config} --name=corpus --data-dir={new}",
    "export": "--workdir={run} --trust-custom-code --output={new}_export",
}


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    directory = tmp_path_factory.mktemp("commands")
    write_images(directory)
    (directory / "config.py").write_text(CONFIG)
    (directory / "pairs").write_text("a\tb\n")
    names = {name: directory / name for name in ("run", "new", "pairs")}
    names |= {"config": directory / "config.py", "images": directory}

    def run(name: str, arguments: str) -> int:
        return main([name, *arguments.format(**names).split()])

    assert run("train", WORKING["train"]) == 0
    return run


@pytest.mark.parametrize("name", WORKING)
def test_a_command_works_with_images(command, name, capsys):
    assert command(name, WORKING[name]) == 0


@pytest.mark.parametrize("name", REFUSED)
def test_a_command_for_texts_refuses_images_in_one_line(command, name, capsys):
    assert command(name, REFUSED[name]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "this command reads texts, but the sources of Image2Seq are images; use " in error


def test_the_report_describes_the_images_of_the_dev_set(command, capsys):
    assert command("eval", WORKING["eval"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "Dev set            16 images" in lines
    assert any(line.startswith("Captions           ") for line in lines)


def test_each_command_that_reads_a_configuration_is_tried():
    without = {"sweep", "report", "import-tf", "import-weights", "vocab", "toy", "fetch-weights"}
    without |= {"augment"}
    new = {"init", "configs", "config"}  # write or list configurations
    elsewhere = {"serve"}  # in test_service.py
    assert set(COMMANDS) - without - new - elsewhere == {*WORKING, *REFUSED}
