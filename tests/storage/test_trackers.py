"""Records of runs in Weights & Biases (offline) and MLflow (SQLite)."""

import json

import jax
import pytest

from seq2seq_jax.config.tracking_config import TrackingConfig
from seq2seq_jax.storage.metrics_log import MetricWriter
from seq2seq_jax.storage.trackers import check_tracking, open_tracker
from seq2seq_jax.training.train import train
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import tiny_config


@pytest.fixture(autouse=True, scope="module")
def _compile_quickly():
    """Disable optimizations, because each program runs only a few times."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


class Recorder:
    """A tracker that remembers what it was given, and can fail."""

    def __init__(self, fails=False):
        self.calls, self.fails = [], fails

    def log_scalars(self, step, scalars):
        if self.fails:
            raise OSError("no network")
        self.calls.append((step, dict(scalars)))

    def log_texts(self, step, texts):
        self.calls.append((step, dict(texts)))


def short_config(**overrides):
    settings = {
        "train_steps": 2,
        "batch_size": 4,
        "buckets": "25",
        "eval_every_n_steps": 2,
        "log_every_n_steps": 1,
        "inference.max_decode_length": 4,
        "metrics": "LogPerplexityMetricSpec,ErrorRateMetricSpec",  # The latter decodes samples.
        "tracking.project": "tests",
    }
    return tiny_config(**settings | overrides)


def test_trackers_receive_what_the_writer_writes(tmp_path):
    writer, tracker = MetricWriter(tmp_path, 0), Recorder()
    writer.trackers.append(tracker)
    writer.write_scalars(3, {"train/loss": 2})
    writer.write_texts(3, {"dev/samples": "a -> b"})
    assert tracker.calls == [(3, {"train/loss": 2.0}), (3, {"dev/samples": "a -> b"})]


def test_a_tracker_needs_its_package(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"tracking\.backend: is mlflow, .*\[mlflow\]"):
        check_tracking("mlflow")
    with pytest.raises(UserError, match="needs the package wandb"):
        train(short_config(tracking__backend="wandb"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("default")
def test_mlflow_records_configuration_metrics_samples_and_the_curve_of_a_resumed_run(tmp_path):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    pytest.importorskip("sqlalchemy", reason="the extra mlflow is not installed")
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/store/mlflow.db"
    settings = {"tracking__backend": "mlflow", "tracking__uri": uri, "tracking__group": "pair"}
    workdir = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)  # MLflow writes artifacts to ./mlruns.
        assert train(short_config(**settings), workdir)
        assert train(short_config(train_steps=4, **settings), workdir)

        client = MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name("tests")
        (run,) = client.search_runs([experiment.experiment_id])  # The same record.
        identifier = run.info.run_id
        assert json.loads((workdir / "tracking.json").read_text()) == {"mlflow": identifier}
        assert run.info.status == "FINISHED"
        assert run.info.run_name == "run"
        assert run.data.tags["group"] == "pair"
        assert run.data.params["embedding.dim"] == "3"
        steps = [one.step for one in client.get_metric_history(identifier, "train/loss")]
        assert steps == [1, 2, 3, 4]
        assert client.get_metric_history(identifier, "dev/log_perplexity")[-1].step == 4
        files = {file.path for file in client.list_artifacts(identifier)}
        assert {"config.json", "learning_curve.png", "dev"} <= files
        samples = client.list_artifacts(identifier, "dev/samples")
        assert [file.path for file in samples] == [
            "dev/samples/00000002.txt",
            "dev/samples/00000004.txt",
        ]


@pytest.mark.filterwarnings("default")
def test_wandb_offline_writes_one_record_for_a_resumed_run(tmp_path):
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    settings = {"tracking__backend": "wandb", "tracking__offline": True}
    workdir = tmp_path / "run"
    assert train(short_config(**settings), workdir)
    assert train(short_config(train_steps=4, **settings), workdir)

    identifier = json.loads((workdir / "tracking.json").read_text())["wandb"]
    parts = sorted((workdir / "wandb").glob("offline-run-*"))
    assert 1 <= len(parts) <= 2  # Both parts start within a second of each other.
    assert all(part.name.endswith(identifier) for part in parts)
    records = b"".join(file.read_bytes() for part in parts for file in part.glob("*.wandb"))
    for text in (b"train/loss", b"dev/log_perplexity", b"embedding.dim", b"tests"):
        assert text in records
    files = {file.name for part in parts for file in part.rglob("*")}
    assert {"config.json", "learning_curve.png"} <= files
    assert any(name.startswith("samples") for name in files)


@pytest.mark.filterwarnings("default")
def test_a_tracker_that_fails_later_ends_with_a_warning(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("seq2seq_jax.storage.trackers.check_tracking", lambda backend: None)
    failing = Recorder(fails=True)
    monkeypatch.setattr("seq2seq_jax.storage.trackers.MlflowTracker", lambda *arguments: failing)
    tracker = open_tracker(TrackingConfig(backend="mlflow"), tmp_path, {})
    tracker.log_scalars(1, {"x": 1.0})
    tracker.log_scalars(2, {"x": 1.0})
    tracker.log_texts(2, {"x": "y"})
    assert failing.calls == []
    assert caplog.messages == ["tracking ends, and training continues: no network"]
