"""Packed workdirs: one archive with digests, opened like a workdir."""

import json
import zipfile

import jax
import numpy as np
import pytest
import yaml

from seq2seq_jax.cli import main
from seq2seq_jax.config import resolve
from seq2seq_jax.inference.loading import load_model
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.storage.packed_workdir import pack_workdir
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.training.train import train
from seq2seq_jax.utils.errors import UserError
from tests.tiny_workdir import tiny_run


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "tiny"
    return tiny_run(path, {10: 1, 20: 2}, metrics={10: 1.0, 20: 2.0})


@pytest.fixture
def packed(workdir, tmp_path):
    pack_workdir(workdir, resolve(workdir.config()), tmp_path / "tiny.zip")
    return tmp_path / "tiny.zip"


def params_of(workdir):
    return load_model(workdir, resolve(workdir.config())).params


def test_a_packed_model_is_the_best_checkpoint_and_predicts_the_same(workdir, packed):
    opened = Workdir(packed)
    assert opened.checkpoints(resolve(opened.config())).all_steps() == [10]
    jax.tree.map(np.testing.assert_array_equal, params_of(opened), params_of(workdir))
    texts = ["a b c", "f e"]
    found = [Predictor.from_workdir(one).predict(texts) for one in (packed, workdir.path)]
    assert [p.text for p in found[0]] == [p.text for p in found[1]]


def test_the_same_run_is_packed_into_the_same_bytes(workdir, tmp_path):
    config = resolve(workdir.config())
    pack_workdir(workdir, config, tmp_path / "a.zip", with_optimizer=True)
    pack_workdir(workdir, config, tmp_path / "b.zip", with_optimizer=True)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def rewritten(packed, name, change):
    """Copy an archive with one file changed; a name that is new is added."""
    target = packed.with_name("changed.zip")
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(target, "w") as new:
        for other in old.namelist():
            content = old.read(other)
            new.writestr(other, change(content) if other == name else content)
        if name not in old.namelist():
            new.writestr(name, change(b""))
    return target


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("vocab.source.txt", lambda content: content.replace(b"a", b"z")),
        ("MANIFEST.json", lambda content: content.replace(b'"step": 10', b'"step": 11')),
        ("MANIFEST.json", lambda content: b"{}"),
        ("more.txt", lambda content: b"more"),
        ("../outside.txt", lambda content: b"outside"),
    ],
)
def test_an_archive_that_was_changed_is_refused(packed, tmp_path, name, change):
    changed = rewritten(packed, name, change)
    with pytest.raises(UserError) as caught:
        Workdir(changed)
    assert "\n" not in str(caught.value)
    assert not (tmp_path.parent / "outside.txt").exists()


def test_other_files_are_no_packed_workdirs(tmp_path):
    (tmp_path / "notes.zip").write_text("notes")
    with pytest.raises(UserError, match=r"notes\.zip: is no packed workdir"):
        Workdir(tmp_path / "notes.zip")


def test_training_needs_a_directory(workdir, packed):
    with pytest.raises(UserError, match="a file is where a directory must be; use a new directory"):
        train(resolve(workdir.config()), packed)


def test_the_command_packs_a_card_with_front_matter_and_infer_opens_the_archive(
    workdir, tmp_path, capsys
):
    output = tmp_path / "g2p.zip"
    command = ["pack", f"--workdir={workdir.path}", f"--output={output}"]
    assert main([*command, "--language=English"]) == 2
    assert "--language: must be a code" in capsys.readouterr().err
    flags = ["--language=en,deu", "--license=cc-by-sa-4.0", "--datasets=words", "--title=Tiny"]
    assert main([*command, *flags]) == 0
    assert capsys.readouterr().out.endswith(f"  {output}\n")

    with zipfile.ZipFile(output) as archive:
        card = archive.read("README.md").decode()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["language"] == ["en", "deu"]
    assert front["license"] == "cc-by-sa-4.0"
    assert front["library_name"] == "seq2seq_jax"
    assert front["pipeline_tag"] == "text2text-generation"
    assert front["datasets"] == ["words"]
    (model,) = front["model-index"]
    assert model["name"] == "Tiny"
    (result,) = model["results"]
    assert result["dataset"]["name"] == "words"
    assert result["metrics"] == [{"type": "log_perplexity", "name": "log_perplexity", "value": 1.0}]
    assert "num_units: 4" in card

    assert main(["infer", f"--workdir={output}", "a b", "--json"]) == 0
    json.loads(capsys.readouterr().out)
