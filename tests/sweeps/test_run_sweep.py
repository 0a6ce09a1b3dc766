"""Sweeps whose trials simulate training, and a slow one whose trials train."""

import json
import os
import signal
import threading
import time

import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.sweeps.local_runner import assign_gpus, assign_processors
from seq2seq_jax.sweeps.results import append_results, read_results
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_lock import file_lock
from tests.limited_disk import limited_disk
from tests.sweeps.toy_sweeps import starts, two_pairs, write_sweep

WIDTHS = "factors={'embedding.dim': [8, 13, 14, 16]}, overrides={'metrics': ['BleuMetricSpec'],"
WIDTHS += "'best_metric': 'bleu'}, published={'16': '21.5'}"


@pytest.fixture
def sweep(tmp_path):
    """Runs a sweep; returns the exit status."""

    def run(text, *flags):
        path = write_sweep(tmp_path, text)
        return main(["sweep", str(path), f"--output={tmp_path / 'run'}", *flags])

    return run


def test_a_failed_trial_does_not_stop_the_rest_and_its_error_is_kept(
    simulated, sweep, tmp_path, capsys
):
    assert sweep(WIDTHS, "--jobs=2") == 2

    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'run' / 'results.jsonl'}\n"
    assert "[4/4]" in err and "ETA" in err
    assert "error: " in err and "2 of 4 trials failed" in err
    results = {r["levels"]["embedding.dim"]: r for r in read_results(tmp_path / "run")}
    assert results[13]["error"] == "batch_size: unlucky"
    assert results[14]["error"].startswith("killed by SIGKILL; ")
    last = results[16]
    assert (last["status"], last["metrics"]["bleu"], last["seed"]) == ("finished", 16.0, 0)
    assert last["places"] == {"embedding.dim": 3}
    assert (last["trial"], last["overrides"]) == ("dim=16_seed=0", {"embedding.dim": 16})
    assert (last["parameters"], last["seconds"]["training"]) == (16000, 60.0)
    assert last["version"] and last["published"] == {"16": "21.5"}


def test_running_a_sweep_again_runs_unfinished_trials(simulated, sweep, tmp_path):
    sweep(WIDTHS)
    assert starts(tmp_path / "run") == 4
    sweep(WIDTHS)
    assert starts(tmp_path / "run") == 6  # The failed ones.
    assert sweep("factors={'embedding.dim': [8, 16, 32]}") == 0
    assert starts(tmp_path / "run") == 9  # The base has changed.
    assert len(read_results(tmp_path / "run")) == 5


def test_a_dry_run_lists_the_trials_and_runs_nothing(sweep, tmp_path, capsys):
    assert sweep(WIDTHS, "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "dim=8_seed=0   new  embedding.dim=8"
    assert lines[-1].startswith("4 trials, 4 trainings")
    assert not (tmp_path / "run").exists()


def test_a_signal_stops_a_sweep_and_the_same_command_resumes(simulated, sweep, tmp_path, capsys):
    def interrupt():
        while not (tmp_path / "run" / "dim=15_seed=0" / "waiting").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert sweep("factors={'embedding.dim': [8, 15, 16]}") == 2
    thread.join()
    assert "stopped by a signal; run the same command to resume" in capsys.readouterr().err
    assert [r["trial"] for r in read_results(tmp_path / "run")] == ["dim=8_seed=0"]


def test_missing_data_are_reported_before_anything_runs(sweep, tmp_path, capsys):
    flags = [
        f"--config.input_pipeline_{part}.params.{side}_files=nowhere.{side}"
        for part in ("train", "dev")
        for side in ("source", "target")
    ]
    assert sweep(WIDTHS, *flags) == 2
    assert "nowhere.source" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_finished_training_of_another_sweep_is_reused(simulated, sweep, tmp_path, capsys):
    sweep("factors={'embedding.dim': [8]}, seeds=[0]")
    (result,) = read_results(tmp_path / "run")
    record = {"digest": result["config_digest"], "finished": True, "seconds": 1, "cpu_seconds": 1}
    (tmp_path / "run" / "dim=8_seed=0" / "training.json").write_text(json.dumps(record))
    other = tmp_path / "other"
    text = "factors={'width': {'a': {'embedding.dim': 8}, 'b': {'embedding.dim': 9}}}"
    assert sweep(text, f"--output={other}", f"--reuse={tmp_path / 'run'}") == 0
    assert (other / "width=a_seed=0").resolve() == tmp_path / "run" / "dim=8_seed=0"
    assert not (other / "width=b_seed=0").is_symlink()


def test_two_sweeps_cannot_run_in_one_directory(simulated, sweep, tmp_path, capsys):
    with file_lock(tmp_path / "run" / "lock", "another sweep"):
        assert sweep("factors={'embedding.dim': [8]}, seeds=[0]") == 2
    assert "another sweep is running here (process " in capsys.readouterr().err


def test_an_incomplete_line_of_results_is_removed(tmp_path):
    file = tmp_path / "results.jsonl"
    line = {"trial": "a", "sweep": "s", "status": "failed", "levels": {}, "seed": 0}
    file.write_text(json.dumps(line) + '\n{"trial": "b", "swe')
    append_results(file, [line | {"trial": "c"}])
    assert [result["trial"] for result in read_results(tmp_path)] == ["a", "c"]


def test_processors_and_gpus_are_divided_among_jobs(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {4, 5, 6, 7, 8})
    assert [assign_processors(slot, 2) for slot in (0, 1)] == [[4, 5], [6, 7]]
    assert assign_processors(0, 9) == []  # all
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    assert [assign_gpus(slot, 2)["CUDA_VISIBLE_DEVICES"] for slot in (0, 1)] == ["0", "3"]
    with pytest.raises(
        UserError, match="must be at most 2, the GPUs of CUDA_VISIBLE_DEVICES; got 3"
    ):
        assign_gpus(0, 3)


@pytest.mark.slow
def test_trials_are_trained_evaluated_and_resumed(sweep, tmp_path, capsys):
    flags = two_pairs(tmp_path)
    flags.append("--config.metrics=LogPerplexityMetricSpec,BleuMetricSpec")
    text = "factors={'inference.beam_search.beam_width': [1, 3]}, overrides={'train_steps': %d}"
    assert sweep(text % 4, *flags) == 0
    assert sweep(text % 8, *flags) == 0  # A longer training resumes.

    results = read_results(tmp_path / "run")
    assert [result["step"] for result in results] == [8, 8]
    assert results[0]["metrics"].keys() == {"log_perplexity", "perplexity", "bleu"}
    assert "Resuming from step 4" in (tmp_path / "run" / "seed=0" / "log.txt").read_text()
    outputs = tmp_path / "run" / "seed=0" / results[1]["outputs"]
    assert len(outputs.read_text().splitlines()) == 2
    assert (outputs.parents[1] / "references.txt").read_text() == "c b a\nc b\n"


def test_a_full_disk_ends_a_sweep_in_one_line_and_the_next_run_completes_it(
    simulated, sweep, tmp_path, capsys
):
    text = "factors={'embedding.dim': [8, 16]}, seeds=[0]"
    with limited_disk(300):
        assert sweep(text) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 1 and "cannot be written" in errors[0]
    assert sweep(text) == 0
    assert len(read_results(tmp_path / "run")) == 2
