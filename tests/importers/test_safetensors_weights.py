"""Parameters as safetensors: out of a workdir, and into another one."""

import hashlib
import json

import jax
import numpy as np
import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.config import resolve
from seq2seq_jax.importers.safetensors_weights import export_weights, import_weights
from seq2seq_jax.inference.loading import load_model
from seq2seq_jax.storage.arrays import named_arrays
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.utils.errors import UserError
from tests.tiny_workdir import tiny_run

safetensors = pytest.importorskip("safetensors.numpy", reason="the extra share is not installed")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "tiny"
    return tiny_run(path, {10: 1, 20: 2}, ema_params=3, metrics={10: 2.0, 20: 1.0})


@pytest.fixture
def exported(workdir, tmp_path):
    export_weights(workdir, resolve(workdir.config()), tmp_path / "hub", "# Card\n")
    return tmp_path / "hub"


def test_parameters_survive_the_way_out_and_in_bit_for_bit(workdir, exported, tmp_path):
    import_weights(exported, str(tmp_path / "imported"))

    models = []
    for run in (workdir, Workdir(tmp_path / "imported")):
        models.append(load_model(run, resolve(run.config())))
    jax.tree.map(np.testing.assert_array_equal, models[0].params, models[1].params)
    assert models[0].vocabularies == models[1].vocabularies


def test_names_are_those_of_the_model_and_the_sums_those_of_the_files(workdir, exported):
    arrays = safetensors.load_file(exported / "model.safetensors")
    loaded = load_model(workdir, resolve(workdir.config()))

    assert arrays.keys() == named_arrays(loaded.params).keys()
    assert "decoder.project_logits.kernel" in arrays
    sums = dict(
        line.split("  ")[::-1] for line in (exported / "SHA256SUMS").read_text().split("\n")[:-1]
    )
    assert {"model.safetensors", "config.json", "vocab.source.txt", "README.md"} <= sums.keys()
    for name, digest in sums.items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == digest


def test_a_damaged_or_foreign_file_is_refused_and_nothing_is_written(exported, tmp_path):
    vocabulary = exported / "vocab.source.txt"
    vocabulary.write_text(vocabulary.read_text().replace("a", "z"))
    with pytest.raises(UserError, match=r"vocab\.source\.txt: .* differs from"):
        import_weights(exported, str(tmp_path / "imported"))

    (exported / "SHA256SUMS").unlink()
    (exported / "model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(UserError, match="is no usable file of safetensors"):
        import_weights(exported, str(tmp_path / "imported"))

    safetensors.save_file({"x": np.zeros(2, np.float32)}, exported / "model.safetensors")
    with pytest.raises(UserError, match=r"has no .*, which this configuration's model has"):
        import_weights(exported, str(tmp_path / "imported"))
    assert not (tmp_path / "imported").exists()


def test_the_commands_write_a_card_and_open_what_they_wrote(workdir, tmp_path, capsys):
    hub, imported = tmp_path / "hub", tmp_path / "imported"
    arguments = ["export-weights", f"--workdir={workdir.path}", f"--output={hub}"]
    assert main([*arguments, "--license=Apache 2"]) == 2
    assert "--license: must be an identifier in lower case" in capsys.readouterr().err
    assert not hub.exists()

    assert main([*arguments, "--license=apache-2.0", "--language=en"]) == 0
    assert "license: apache-2.0" in (hub / "README.md").read_text()
    assert main([*arguments]) == 2  # It exists.
    assert main(["import-weights", f"--input={hub}", f"--workdir={imported}"]) == 0
    capsys.readouterr()
    assert main(["infer", f"--workdir={imported}", "a b c", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["infer", f"--workdir={workdir.path}", "a b c", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
