"""Damaged, edited and exchanged files of a workdir are noticed."""

import io
import json
import os
import shutil

import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.config import resolve
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.inference.loading import load_ensemble
from seq2seq_jax.storage.workdir import Vocabularies, Workdir
from seq2seq_jax.training.train import train
from seq2seq_jax.utils import integrity
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.integrity import SEAL, seal
from tests.tiny_models import VOCABULARY
from tests.tiny_workdir import tiny_run

SEEDS, METRICS = {10: 1, 20: 2, 30: 3}, {10: 2.0, 20: 4.0, 30: 3.0}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("runs") / "run", SEEDS, metrics=METRICS)


@pytest.fixture
def run(original, tmp_path):
    """A copy of a run whose best checkpoint is that of step 10."""
    shutil.copytree(original.path, tmp_path / "run")
    return Workdir(tmp_path / "run")


def load(run, **inference):
    keys = [(f"inference.{key}", value) for key, value in inference.items()]
    return load_ensemble(run, resolve(run.config(), keys))


def refusal(run, **inference):
    with pytest.raises(UserError) as refused:
        load(run, **inference)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def change(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_an_undisturbed_run_is_loaded(run):
    assert load(run)[0].steps == [10]


def test_a_changed_vocabulary_is_refused_with_its_file_the_checkpoint_and_a_remedy(run):
    file = run.path / "vocab.target.txt"
    change(file, "f", "v")
    line = refusal(run)
    assert line.startswith(f"{file}: differs from the file with which {run.checkpoints_dir}/10 was")
    assert line.endswith("restore a copy")


def test_two_exchanged_lines_of_a_vocabulary_are_refused(run):
    change(run.path / "vocab.source.txt", "a\nb\n", "b\na\n")
    assert "vocab.source.txt: differs" in refusal(run)


def test_a_missing_vocabulary_is_refused(run):
    (run.path / "vocab.source.txt").unlink()
    assert "vocab.source.txt: is missing" in refusal(run)


@pytest.mark.parametrize(
    "inference",
    [{}, {"checkpoint": "latest"}, {"checkpoint": "20"}, {"average_checkpoints": "last:2"}],
    ids=str,
)
def test_every_way_of_loading_verifies_the_files(run, inference):
    change(run.path / "vocab.target.txt", "f", "v")
    assert "vocab.target.txt: differs" in refusal(run, **inference)


def test_the_member_of_an_ensemble_is_verified(run, original):
    change(run.path / "vocab.target.txt", "f", "v")
    assert f"{run.path}/vocab.target.txt: differs" in refusal(original, ensemble=str(run.path))


@pytest.mark.parametrize("command", ["infer", "eval", "score", "errors"])
def test_every_command_refuses_a_changed_vocabulary(run, capsys, monkeypatch, command):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    change(run.path / "vocab.target.txt", "f", "v")
    assert main([command, f"--workdir={run.path}"]) == 2
    err = capsys.readouterr().err
    assert "vocab.target.txt: differs" in err and err.count("\n") == 1


def test_training_refuses_to_resume_with_a_changed_vocabulary(run):
    change(run.path / "vocab.target.txt", "f", "v")
    with pytest.raises(UserError, match=r"vocab\.target\.txt: differs"):
        train(resolve(run.config()), run.path)


def test_the_vocabulary_of_another_run_is_refused(run, tmp_path):
    other = Vocabularies(VOCABULARY, Vocabulary("abcdeg"))
    other = tiny_run(tmp_path / "other", {1: 1}, vocabularies=other)
    shutil.copy(other.path / "vocab.target.txt", run.path)
    assert "vocab.target.txt: differs" in refusal(run)


def test_the_configuration_of_another_run_is_refused_with_its_keys(run, tmp_path):
    other = tiny_run(tmp_path / "other", {1: 1}, seed=5, source__reverse=False)
    shutil.copy(other.config_file, run.path)
    line = refusal(run)
    assert line.startswith(f"{run.config_file}: is not the configuration with which")
    assert "seed, source.reverse differ" in line


def test_keys_that_may_change_on_resuming_differ_from_old_checkpoints(run, tmp_path):
    other = tiny_run(tmp_path / "other", {1: 1}, train_steps=77)
    shutil.copy(other.config_file, run.path)
    assert load(run)[0].steps == [10]


def test_an_edited_key_that_decides_the_parameters_is_refused(run):
    change(run.config_file, '"reverse": true', '"reverse": false')
    line = refusal(run)
    assert line.startswith(f"{run.config_file}: was edited or damaged")
    assert "source.reverse" in line and "use flags" in line


def test_another_edited_key_is_used_with_a_warning_that_names_it(run, caplog):
    change(run.config_file, '"max_decode_length": 6', '"max_decode_length": 7')
    assert run.config().inference.max_decode_length == 7
    assert f"{run.config_file}: was edited or damaged" in caplog.text
    assert "(inference.max_decode_length)" in caplog.text


def test_a_configuration_without_a_checksum_is_used_with_a_warning(run, caplog):
    values = json.loads(run.config_file.read_text())
    del values[SEAL]
    run.config_file.write_text(json.dumps(values))
    assert load(run)[0].steps == [10]
    assert "was edited or damaged" in caplog.text


def test_an_edited_configuration_without_a_checkpoint_is_refused(run):
    shutil.rmtree(run.checkpoints_dir)
    change(run.config_file, '"max_decode_length": 6', '"max_decode_length": 7')
    with pytest.raises(UserError, match="was edited or damaged"):
        run.config()


@pytest.mark.parametrize("new", ["resi.dual", "", "\\u0000", "written_by", "encoder"])
def test_a_key_of_the_configuration_that_is_damaged_gives_one_line(run, new):
    change(run.config_file, "residual_combiner", new)
    assert "was edited or damaged" in refusal(run)


def test_another_layout_of_the_configuration_is_the_same(run):
    run.config_file.write_text(json.dumps(json.loads(run.config_file.read_text())))
    assert load(run)[0].steps == [10]


@pytest.mark.parametrize("old", ["2.0", '"step"', '"metrics"', "{"])
def test_the_best_checkpoint_is_not_chosen_from_damaged_metrics(run, old):
    file = run.checkpoints_dir / "10" / "checkpoint.json"
    change(file, old, "7" + old[1:])
    line = refusal(run)
    assert line.startswith(str(file)) and "it is not known which checkpoint is the best" in line
    assert load(run, checkpoint="latest")[0].steps == [30]


def test_inspect_shows_a_run_whose_best_checkpoint_is_not_known(run, capsys):
    change(run.checkpoints_dir / "10" / "checkpoint.json", "2.0", "7.0")
    assert main(["inspect", f"--workdir={run.path}"]) == 0
    assert "best checkpoint: not known" in capsys.readouterr().out


def test_exchanged_checkpoints_are_refused(run):
    first, second, spare = (run.checkpoints_dir / name for name in ("10", "20", "spare"))
    first.rename(spare)
    second.rename(first)
    spare.rename(second)
    assert "belongs to step 20; the directory was exchanged or copied" in refusal(run)
    assert "step 20 damaged; use inference.checkpoint=30" in refusal(run, checkpoint="20")


def test_a_checkpoint_that_was_copied_to_another_step_is_skipped(run, caplog):
    shutil.copytree(run.checkpoints_dir / "10", run.checkpoints_dir / "999")
    assert load(run, checkpoint="latest")[0].steps == [30]
    assert "skipping checkpoint 999" in caplog.text and "belongs to step 10" in caplog.text


def test_the_checkpoint_of_another_run_is_refused(run, tmp_path):
    other = tiny_run(tmp_path / "other", {30: 1}, seed=5)
    shutil.rmtree(run.checkpoints_dir / "30")
    shutil.copytree(other.checkpoints_dir / "30", run.checkpoints_dir / "30")
    assert "seed differs" in refusal(run, checkpoint="30")


def test_the_error_for_a_damaged_checkpoint_names_an_older_intact_one(run):
    file = next(
        path for path in (run.checkpoints_dir / "20" / "state").rglob("*") if path.is_file()
    )
    os.truncate(file, file.stat().st_size // 2)
    line = refusal(run, checkpoint="20")
    assert "step 20 damaged; use inference.checkpoint=10, which is intact" in line


@pytest.mark.parametrize("name", ["config.json", "checkpoints/10/checkpoint.json"])
def test_a_newer_format_is_refused_in_one_line(run, monkeypatch, name):
    file = run.path / name
    values = json.loads(file.read_text())
    del values[SEAL]
    with monkeypatch.context() as patch:
        patch.setattr(integrity, "FORMAT", 2)
        file.write_text(json.dumps(seal(values)))
    assert f"{file}: was written by seq2seq_jax 0.1.0 in format 2, but this version" in refusal(run)


def test_inspect_shows_the_versions_that_wrote_the_checkpoint(run, capsys):
    assert main(["inspect", f"--workdir={run.path}"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "written by" in line]
    assert all(name in line for name in ("format 1", "seq2seq_jax 0.1.0", "jax ", "flax ", "optax"))


def test_files_without_a_checkpoint_are_made_again(tmp_path):
    run = tiny_run(tmp_path / "run", {})
    change(run.path / "vocab.target.txt", "f", "v")
    assert run.vocabularies() is None
