import pytest

from experiments.shared_tasks import ALL, ENSEMBLES, ensemble_results, print_table
from experiments.sigmorphon2021_g2p.sweep import BASELINE_DEV, select
from seq2seq_jax.cli import main
from seq2seq_jax.config import resolve, write_config
from seq2seq_jax.utils.errors import UserError
from tests.tiny_workdir import tiny_run

SWEEP = "experiments/sigmorphon2021_g2p/sweep.py"


@pytest.fixture
def results(tmp_path):
    """Two untrained models for each of two languages, as a sweep would leave them."""
    found = []
    for language, seed in [("dut", 0), ("dut", 1), ("kor", 0), ("kor", 1)]:
        name = f"language={language}_seed={seed}"
        workdir = tiny_run(tmp_path / name, {1: seed})
        config = resolve(workdir.config(), [("metrics", "ErrorRateMetricSpec")])
        write_config(config, workdir.config_file)
        found.append(
            {
                "trial": name,
                "config_digest": "0",
                "workdir": name,
                "levels": {"language": language},
                "places": {"language": ["dut", "kor"].index(language)},
                "seed": seed,
                "cpu_seconds": 10.0,
                "metrics": {"sequence_error_rate": 20.0 + 10 * seed},
            }
        )
    return found


def test_a_subtask_or_some_of_its_languages_can_be_chosen():
    assert select("low") == ("low", list(BASELINE_DEV["low"]))
    assert select("kor,dut") == ("medium", ["kor", "dut"])
    with pytest.raises(UserError, match="must be a subtask or languages of one subtask"):
        select("dut,ice")


def test_every_language_is_trained_with_three_seeds_on_its_own_files(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SIGMORPHON2021_G2P", str(tmp_path))
    assert main(["sweep", f"{SWEEP}:ice,gre", "--dry-run", f"--output={tmp_path}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [
        f"language={language}_seed={seed}" for seed in range(3) for language in ("ice", "gre")
    ]
    assert f"input_pipeline_dev.params.files={tmp_path}/low/ice_dev.tsv" in lines[0]


def test_the_table_has_single_models_ensembles_and_published_results(results, tmp_path, capsys):
    ensembles = ensemble_results(results, tmp_path, "language", "sequence_error_rate")
    assert ensembles == {"dut": 100.0, "kor": 100.0}  # They were not trained.
    capsys.readouterr()
    published = {"dut": 10.0, "kor": 18.0, ALL: 14.0}
    print_table(results, ensembles, published, "language", "sequence_error_rate")
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| dut | 25.00 ± 7.07 | 100.00 | 10.00 | 20 |",
        "| kor | 25.00 ± 7.07 | 100.00 | 18.00 | 20 |",
        "| all | 25.00 ± 7.07 | 100.00 | 14.00 | 40 |",
    ]


def test_levels_can_count_by_their_number_of_items(results, capsys):
    results[2]["metrics"] = results[3]["metrics"] = {"sequence_error_rate": 60.0}
    ensembles = {"dut": 20.0, "kor": 40.0}
    print_table(
        results, ensembles, {}, "language", "sequence_error_rate", items={"dut": 3, "kor": 1}
    )
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "| all | 33.75 ± 5.30 | 25.00 | - | 40 |"  # 3/4 of 20 and 30, 1/4 of 60


def test_ensembles_are_evaluated_once(results, tmp_path):
    first = ensemble_results(results[:2], tmp_path, "language", "sequence_error_rate")
    size = (tmp_path / ENSEMBLES).stat().st_size
    assert ensemble_results(results[:2], tmp_path, "language", "sequence_error_rate") == first
    assert (tmp_path / ENSEMBLES).stat().st_size == size
