"""Custom classes that data files name are loaded only with permission."""

import dataclasses
import json
import sys

import pytest

import seq2seq_jax as s2s
from seq2seq_jax.cli import main
from seq2seq_jax.config import load_config, resolve, write_config
from seq2seq_jax.storage.resuming import check_same_configuration
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.sweeps.definition import load_sweep
from seq2seq_jax.sweeps.trial_process import Job, make_job
from seq2seq_jax.sweeps.trials import grid_trainings
from seq2seq_jax.utils.errors import UserError
from tests.sweeps.toy_sweeps import write_sweep
from tests.tiny_models import tiny_config
from tests.tiny_workdir import tiny_run

STRANGE = """
from pathlib import Path

Path({marker!r}).touch()

from seq2seq_jax.inference.tasks.decode_text import DecodeText
from seq2seq_jax.models.attention import AttentionLayerDot

class Attention(AttentionLayerDot): pass
class Task(DecodeText): pass
def successors(scores): return scores
"""


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """A file that exists as soon as the module `strange` has been imported."""
    marker = tmp_path / "the code ran"
    (tmp_path / "strange.py").write_text(STRANGE.format(marker=str(marker)))
    monkeypatch.syspath_prepend(tmp_path)
    yield marker
    sys.modules.pop("strange", None)


def edited(config, keys):
    """A configuration as values, with dotted keys set."""
    values = config.to_dict()
    for key, value in keys.items():
        *groups, last = key.split(".")
        group = values
        for name in groups:
            group = group[name]
        group[last] = value
    return values


IN_FILES = {
    "model": "strange.Model",
    "encoder.class": "strange.Encoder",
    "encoder.params.rnn_cell.cell_class": "strange.Cell",
    "bridge.class": "strange.Bridge",
    "attention.class": "strange.Attention",
    "decoder.class": "strange.Decoder",
    "optimizer.name": "strange.sgd",
    "input_pipeline_train.class": "strange.Reader",
    "input_pipeline_dev.class": "os.system",
    "metrics": {"M": {"class": "strange.Metric", "params": {}}},
    "hooks": ["strange.Hook"],
    "tasks": {"T": {"class": "os.system", "params": {"command": "true"}}},
    "inference.beam_search.choose_successors_fn": "strange.successors",
}
NOT_OF_THEIR_KIND = {
    "attention.class": ["optax.contrib.muon", "flax.core.FrozenDict", "flax.linen.module.Any"],
    "encoder.class": ["os.path.join", "json.JSONDecoder", "flax.struct.dataclass"],
    "metrics": ["json.loads", "pathlib.Path", "subprocess.Popen"],
    "hooks": ["collections.Counter", "subprocess.Popen"],
    "input_pipeline_train.class": ["os.listdir", "pathlib.Path", "subprocess.Popen"],
    "encoder.params.rnn_cell.cell_class": ["builtins.print", "flax.linen.Dense"],
    "decoder.class": ["flax.linen.Dense"],
    "model": ["flax.linen.Dense"],
    "optimizer.name": ["os.system", "flax.io.rmtree", "optax.clip_by_global_norm"],
}


@pytest.mark.parametrize(("key", "value"), IN_FILES.items())
@pytest.mark.parametrize("kind", ["json", "yml"])
def test_a_class_in_a_data_file_is_refused_before_its_module_is_imported(
    tmp_path, marker, kind, key, value
):
    file = tmp_path / f"given.{kind}"
    file.write_text(json.dumps(edited(tiny_config(), {key: value})))
    with pytest.raises(UserError) as refused:
        load_config(file)
    assert not marker.exists()
    name = next(part for part in json.dumps(value).split('"') if "." in part)
    assert str(refused.value).startswith(key) and "\n" not in str(refused.value)
    assert f"{file} names the custom class {name}" in str(refused.value)
    assert "--trust-custom-code" in str(refused.value)


@pytest.mark.parametrize(
    ("key", "name"), [(key, name) for key, names in NOT_OF_THEIR_KIND.items() for name in names]
)
def test_an_object_of_another_kind_is_refused_before_it_is_called(key, name):
    with pytest.raises(UserError) as refused:
        resolve(tiny_config(), [(key, name)])
    assert str(refused.value).startswith(f"{key}: ") and "\n" not in str(refused.value)


@pytest.mark.parametrize("key", ["tasks", "attention.class", "input_pipeline_dev.class"])
@pytest.mark.parametrize(
    "command", ["infer", "eval", "inspect", "score", "errors", "train", "config"]
)
def test_no_command_runs_the_code_of_a_workdir(tmp_path, marker, capsys, command, key):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text(json.dumps(edited(tiny_config(), {key: IN_FILES[key]})))
    assert main([command, f"--workdir={run}"]) == 2
    err = capsys.readouterr().err
    assert key in err and err.count("\n") == 1 and not marker.exists()


def test_a_trusted_file_names_any_class(tmp_path, marker):
    file = tmp_path / "given.json"
    file.write_text('{"attention.class": "strange.Attention"}')
    config = resolve(load_config(file, trust_custom_code=True))
    assert marker.exists() and config.attention["class"] == "strange.Attention"


def test_a_class_that_is_typed_as_a_flag_is_trusted(tmp_path, marker):
    file = tmp_path / "model.yml"
    file.write_text("attention.class: strange.Attention\n")
    assert main(["plot-schedule", f"--config={file}", f"--output={tmp_path}/rate.png"]) == 2
    assert not marker.exists()
    flag = "--config.attention.class=strange.Attention"
    assert main(["plot-schedule", f"--config={file}", flag, f"--output={tmp_path}/a.png"]) == 0
    assert marker.exists()


def test_a_model_with_a_custom_class_is_loaded_with_permission_only(tmp_path, marker, capsys):
    tiny_run(tmp_path / "run", {1: 0}, attention__class="strange.Attention")
    with pytest.raises(UserError, match=r"strange\.Attention.*trust_custom_code=True"):
        s2s.Predictor.from_workdir(str(tmp_path / "run"))
    predictor = s2s.Predictor.from_workdir(str(tmp_path / "run"), trust_custom_code=True)
    assert predictor.predict(["a b"])
    assert main(["inspect", f"--workdir={tmp_path}/run"]) == 2
    capsys.readouterr()
    assert main(["inspect", f"--workdir={tmp_path}/run", "--trust-custom-code"]) == 0


def test_a_member_of_an_ensemble_needs_permission_too(tmp_path, marker):
    tiny_run(tmp_path / "first", {1: 0})
    tiny_run(tmp_path / "second", {1: 1}, attention__class="strange.Attention")
    marker.unlink()
    options = {"ensemble": str(tmp_path / "second")}
    with pytest.raises(UserError, match=r"second/config\.json names the custom class"):
        s2s.Predictor.from_workdir(str(tmp_path / "first"), **options)


def test_a_run_resumes_with_the_classes_of_its_configuration(tmp_path, marker):
    config = tiny_config(attention__class="strange.Attention")
    workdir = Workdir(tmp_path / "run")
    write_config(config, workdir.config_file)
    check_same_configuration(workdir, config)
    with pytest.raises(UserError, match="custom class"):
        workdir.config()


@pytest.mark.parametrize("trust", [False, True])
def test_the_workers_of_a_sweep_receive_the_permission(tmp_path, trust):
    file = load_sweep(str(write_sweep(tmp_path, "factors={}")), trust_custom_code=trust)
    job = make_job(grid_trainings(file)[0], tmp_path, [])
    assert Job(**json.loads(json.dumps(dataclasses.asdict(job)))).trust_custom_code is trust
