"""Files of predictions, read as the scorers of the shared tasks read them."""

import pytest

from seq2seq_jax.data.readers.input_pipeline import TextExample
from seq2seq_jax.evaluation.prediction_files import check_predictions, write_predictions
from seq2seq_jax.problems.protocol import DevData
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import tiny_config


def dev_data(examples):
    return DevData(None, None, [], [], "", "", examples=lambda: iter(examples))


def test_the_rows_are_those_of_the_dev_set_with_the_outputs(tmp_path):
    path = str(tmp_path / "new" / "tur_small.dev")
    examples = [
        TextExample("walk", "walked", "V;PST"),
        TextExample("be", "was", "V;PST"),
        TextExample("walk", "walkt", "V;PST"),
    ]
    dev = dev_data([*zip(examples, [0, 1, 0], strict=True)])
    assert write_predictions(path, dev, ["walked", ""]) == [tmp_path / "new/tur_small.dev"]
    with open(path, encoding="utf-8") as file:  # as evaluate.py of 2022 reads it
        rows = [line.split("\t") for line in file]
    assert [row[0] for row in rows] == ["walk", "be", "walk"]
    assert [row[1] for row in rows] == ["walked", "", "walked"]
    assert {row[2].strip() for row in rows} == {"V;PST"}


def test_a_table_without_features_has_two_columns(tmp_path):
    path = str(tmp_path / "dut.tsv")
    write_predictions(path, dev_data([(TextExample("zee", "z eː"), 0)]), ["z e"])
    with open(path, encoding="utf-8") as file:  # as tsv_reader of 2021 reads it
        ((word, phones),) = (line.split("\t", 1) for line in file)
    assert (word, phones.rstrip().split()) == ("zee", ["z", "e"])


def test_each_language_has_its_own_file_without_tags(tmp_path):
    sources = ("<dut> zee", "<fre> mer", "<dut> ja")
    dev = dev_data([(TextExample(source, "x"), i) for i, source in enumerate(sources)])
    files = write_predictions(f"{tmp_path}/{{language}}.tsv", dev, ["z", "m", "j"])
    assert files == [tmp_path / "dut.tsv", tmp_path / "fre.tsv"]
    assert files[0].read_text() == "zee\tz\nja\tj\n"


def test_an_example_without_source_keeps_its_row(tmp_path):
    dev = dev_data([(TextExample(" ", "x"), -1), (TextExample("a", "b"), 0)])
    (file,) = write_predictions(str(tmp_path / "new.tsv"), dev, ["c"])
    assert file.read_text() == " \t\na\tc\n"


def test_what_cannot_be_written_is_refused_before_decoding():
    with pytest.raises(UserError, match="--predictions: needs a metric of decoded text"):
        check_predictions("new.tsv", tiny_config(metrics="LogPerplexityMetricSpec"))
    check_predictions("new.tsv", tiny_config(metrics="ErrorRateMetricSpec"))
