"""The import of a model that google/seq2seq trained, on the command line."""

import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.inference.predictor import Predictor

GOLDEN = Path(__file__).parents[1] / "golden" / "trained_nmt_small_lr1e3.npz"


@pytest.fixture(scope="module")
def trained():
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def files(trained, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tf")
    (directory / "train_options.json").write_text(str(trained["meta/hparams"]))
    for name, key in (
        ("vocab.source", "in/vocab_lines"),
        ("vocab.target", "in/vocab_target_lines"),
    ):
        (directory / name).write_text("".join(f"{line}\n" for line in trained[key]), "utf-8")
    return directory


def arguments(files, workdir, variables=GOLDEN, params="train_options.json"):
    return [
        "import-tf",
        f"--params={files / params}",
        f"--variables={variables}",
        f"--vocab-source={files / 'vocab.source'}",
        f"--vocab-target={files / 'vocab.target'}",
        f"--workdir={workdir}",
    ]


@pytest.fixture(scope="module")
def workdir(files):
    assert main(arguments(files, files / "run")) == 0
    return files / "run"


def test_an_imported_model_decodes_the_same_texts_as_the_original(workdir, trained):
    sources, expected = trained["in/source_lines"][:64], trained["out/greedy_lines"][:64]
    predictor = Predictor.from_workdir(str(workdir))

    assert [p.text for p in predictor.predict([str(line) for line in sources])] == list(expected)


def test_training_continues_from_an_imported_model(workdir, tmp_path):
    shutil.copytree(workdir, tmp_path / "run")
    # An imported model has no data, so naming some does not change its configuration.
    data = ["--config.input_pipeline_train.params.builtin=toy_reverse"]
    steps = ["--config.train_steps=2", "--config.eval_every_n_steps=0"]
    assert main(["train", f"--workdir={tmp_path / 'run'}", *data, *steps]) == 0

    [line] = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 2
    assert json.loads(line)["train/loss"] < 1.5  # with dropout; a new model has 3.1


def test_a_workdir_with_a_run_is_not_overwritten(workdir, files, capsys):
    assert main(arguments(files, workdir)) == 2

    assert capsys.readouterr().err == (f"error: {workdir}: contains a run; use another --workdir\n")


def test_variables_that_do_not_fit_are_listed_and_nothing_is_written(
    files, trained, tmp_path, capsys
):
    changed = {name: array for name, array in trained.items() if "logits/biases" not in name}
    changed["var/model/att_seq2seq/decode/unexpected_name"] = np.zeros(3, np.float32)
    np.savez(tmp_path / "changed.npz", **changed)

    assert main(arguments(files, tmp_path / "run", tmp_path / "changed.npz")) == 2
    error = capsys.readouterr().err
    assert "logits/biases" in error and "unexpected_name" in error
    assert not (tmp_path / "run").exists()


def test_yaml_files_are_merged_in_order(files, trained, tmp_path):
    hparams = json.loads(str(trained["meta/hparams"]))
    (files / "model.yml").write_text(
        "model: AttentionSeq2Seq\nmodel_params:\n  embedding.dim: 7\n"
        "  encoder.class: seq2seq.encoders.BidirectionalRNNEncoder\n"
    )
    (files / "rest.yml").write_text(json.dumps({"hparams": hparams["model_params"]}))
    both = f"model.yml,{files / 'rest.yml'}"

    assert main(arguments(files, tmp_path / "run", params=both)) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["embedding"]["dim"] == 128


def test_a_checkpoint_without_tensorflow_is_an_error_with_a_remedy(files, tmp_path, capsys):
    assert main(arguments(files, tmp_path / "run", variables="model.ckpt-1001")) == 2

    assert "TensorFlow, which is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(("beam_width", "output"), [(0, "greedy_lines"), (5, "beam5_lines")])
def test_the_command_line_answers_like_the_original(
    workdir, trained, beam_width, output, monkeypatch, tmp_path
):
    source = tmp_path / "source"
    source.write_text("".join(f"{line}\n" for line in trained["in/source_lines"]), "utf-8")
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO()))
    beam = f"--config.inference.beam_search.beam_width={beam_width}"

    assert main(["infer", f"--workdir={workdir}", f"--input={source}", beam]) == 0
    sys.stdout.seek(0)
    answers, expected = sys.stdout.read().splitlines(), trained[f"out/{output}"]
    assert len(answers) == len(expected) == 1000
    # Near-ties can be decided differently on another machine.
    assert sum(answer == line for answer, line in zip(answers, expected, strict=True)) >= 995
