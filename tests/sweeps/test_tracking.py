"""Runs of a sweep in a tracker."""

import dataclasses
import json

import pytest

from seq2seq_jax.sweeps.trial_process import Job, run_job_file
from tests.tiny_models import tiny_config


@pytest.mark.parametrize(("group", "expected"), [("", "my_sweep"), ("mine", "mine")])
def test_runs_of_a_sweep_are_recorded_in_one_group(tmp_path, monkeypatch, group, expected):
    seen = []
    # These change the process of the tests.
    monkeypatch.setattr("seq2seq_jax.devices.memory.tune_malloc", lambda: None)
    monkeypatch.setattr("seq2seq_jax.utils.streams.set_up_streams", lambda: None)
    monkeypatch.setattr(
        "seq2seq_jax.training.train.train",
        lambda config, folder: seen.append(config.tracking.group),
    )
    config = tiny_config(tracking__backend="mlflow", tracking__group=group)
    folder = tmp_path / "my_sweep" / "seed=0"
    job = Job(str(folder), "digest", json.loads(json.dumps(config.to_dict())), {"seed=0": {}})
    job.file.parent.mkdir(parents=True)
    job.file.write_text(json.dumps(dataclasses.asdict(job)))

    with pytest.raises(SystemExit):  # The simulated training reports that it was stopped.
        run_job_file(str(job.file))

    assert seen == [expected]
