import importlib.util

import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.sweeps.optuna_search import open_storage
from seq2seq_jax.sweeps.results import read_results
from tests.limited_disk import limited_disk
from tests.sweeps.toy_sweeps import starts, two_pairs, write_sweep

# Importing Optuna emits deprecation warnings.
pytestmark = pytest.mark.filterwarnings("ignore")
needs_optuna = pytest.mark.skipif(
    importlib.util.find_spec("optuna") is None,
    reason="Optuna is not installed (extra search)",
)
TEXT = (
    "factors={'embedding.dim': Range(20, 60),"
    " 'optimizer.learning_rate': Range(1e-4, 1e-2, log=True),"
    " 'cell': {'GRU': {'encoder.params.rnn_cell.cell_class': 'GRUCell'}, 'LSTM': {}}},"
    " overrides={'metrics': ['BleuMetricSpec'], 'best_metric': 'bleu'}, seeds=[0, 1]"
)


def search(folder, name, *flags):
    path = write_sweep(folder, TEXT)
    return main(["sweep", str(path), f"--output={folder / name}", *flags])


@needs_optuna
@pytest.mark.parametrize("kind", ["random", "bayes"])
def test_a_stopped_search_resumes_with_the_same_points(simulated, tmp_path, kind):
    assert search(tmp_path, "whole", f"--search={kind}", "--trials=3") == 0
    assert search(tmp_path, "parts", f"--search={kind}", "--trials=1") == 0
    assert search(tmp_path, "parts", f"--search={kind}", "--trials=3") == 0

    whole, parts = (read_results(tmp_path / name) for name in ("whole", "parts"))
    assert [r["levels"] for r in whole] == [r["levels"] for r in parts]
    assert starts(tmp_path / "parts") == len(parts) == 6  # three points with two seeds
    assert len({r["levels"]["optimizer.learning_rate"] for r in whole}) == 3
    for found in whole:
        levels = found["levels"]
        assert 20 <= levels["embedding.dim"] <= 60 and isinstance(levels["embedding.dim"], int)
        assert 1e-4 <= levels["optimizer.learning_rate"] <= 1e-2
        assert levels["cell"] in ("GRU", "LSTM")


@needs_optuna
def test_optuna_optimizes_the_mean_over_seeds(simulated, tmp_path):
    import optuna

    assert search(tmp_path, "run", "--search=random", "--trials=2", "--jobs=2") == 0
    study = optuna.load_study(
        study_name="toys", storage=open_storage(tmp_path / "run" / "optuna.db")
    )
    results = read_results(tmp_path / "run")
    for trial in study.trials:
        values = [r["metrics"]["bleu"] for r in results if f"={trial.number:04}" in r["trial"]]
        assert trial.value == pytest.approx(sum(values) / 2)


@needs_optuna
def test_a_search_over_decoding_trains_once(simulated, tmp_path):
    text = "factors={'inference.beam_search.beam_width': Range(1, 9)}, overrides={'metrics':"
    text += " ['BleuMetricSpec'], 'best_metric': 'bleu'}"
    path = write_sweep(tmp_path, text)
    flags = [f"--output={tmp_path / 'run'}", "--search=random", "--trials=3"]
    assert main(["sweep", str(path), *flags]) == 0
    assert {r["workdir"] for r in read_results(tmp_path / "run")} == {"seed=0"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--search=bayes"], "--trials: a search needs a number of points"),
        (["--trials=3"], "--trials: needs a search"),
        (["--search=bayes", "--trials=3", "--metric=wer"], "--metric: must be a result of metrics"),
        (["--jobs=0"], "--jobs: must be at least 1"),
    ],
)
def test_flags_that_do_not_fit_together_are_one_line(tmp_path, capsys, flags, message):
    assert search(tmp_path, "run", *flags) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


@pytest.mark.parametrize("damage", ["full", "damaged"])
def test_a_study_that_cannot_be_used_is_one_line(simulated, tmp_path, capsys, damage):
    if damage == "full":
        with limited_disk(2000):  # The sweep and the lock fit, the database does not.
            assert search(tmp_path, "run", "--search=random", "--trials=2") == 2
    else:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "optuna.db").write_bytes(b"no database" * 100)
        assert search(tmp_path, "run", "--search=random", "--trials=2") == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert line.startswith(f"error: {tmp_path}/run/optuna.db: cannot be read or written (")


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="Ray is not installed (extra ray)",
)
@pytest.mark.parametrize("flags", [[], ["--search=random", "--trials=2"]], ids=["grid", "search"])
def test_ray_runs_the_same_file(tmp_path, flags):
    """Started on this machine. Its workers do not see the simulation of these tests: they train."""
    if flags:
        pytest.importorskip("optuna")
    text = "factors={'embedding.dim': %s}, overrides={'train_steps': 2, 'eval_every_n_steps': 2}"
    path = write_sweep(tmp_path, text % ("Range(4, 9)" if flags else "[4, 0x8]"))
    run = ["sweep", str(path), f"--output={tmp_path / 'run'}", "--ray", "--jobs=2", *flags]
    assert main([*run, *two_pairs(tmp_path)]) == 0
    results = read_results(tmp_path / "run")
    assert [result["status"] for result in results] == ["finished"] * 2
    assert all("log_perplexity" in result["metrics"] for result in results)
