import gzip

import pytest

from experiments.inflection2022.sweep import data_file, select
from seq2seq_jax.cli import main
from seq2seq_jax.config import load_config, resolve
from seq2seq_jax.utils.errors import UserError

SWEEP = "experiments/inflection2022/sweep.py"


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("INFLECTION2022", str(tmp_path))
    for name in ("tur_small.train", "tur_large.train", "tur.dev", "ket_small.train", "ket.dev"):
        (tmp_path / name).write_text("su\tsular\tN;NOM;PL\n")
    return tmp_path


def test_the_languages_are_those_with_training_data_of_the_size():
    assert select("small") == ("small", ["ket", "tur"])
    assert select("large") == ("large", ["tur"])
    assert select("small,tur") == ("small", ["tur"])
    with pytest.raises(UserError, match="has files of this size for these languages: tur; set"):
        select("large,ket")
    with pytest.raises(UserError, match="must begin with small or large"):
        select("tiny")


def test_every_language_is_trained_on_its_own_files(data, capsys):
    assert main(["sweep", f"{SWEEP}:small", "--dry-run", f"--output={data}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [
        "language=ket_seed=0",
        "language=tur_seed=0",
    ]
    assert f"input_pipeline_train.params.files={data}/ket_small.train" in lines[0]


def test_compressed_files_are_found(data):
    with gzip.open(data / "tur.dev.gz", "wt") as file:
        file.write("su\tsular\tN;NOM;PL\n")
    assert data_file("tur.dev") == data / "tur.dev.gz"
    assert data_file("ket.dev") == data / "ket.dev"


@pytest.mark.parametrize("size", ["small", "large"])
def test_the_configuration_reads_features(data, size):
    files = [
        (f"input_pipeline_{part}.params.files", str(data / "tur.dev")) for part in ("train", "dev")
    ]
    config = resolve(load_config(f"experiments/inflection2022/config.py:{size}"), files)
    assert config.features.combine == "source"
    assert config.best_metric == "sequence_accuracy"
