import pytest

from seq2seq_jax.config import check_training, default_config, resolve
from seq2seq_jax.utils.errors import UserError

TABLES = [
    ("input_pipeline_train.class", "TSVInputPipeline"),
    ("input_pipeline_train.params.files", "a.tsv"),
    ("input_pipeline_train.params.source_column", "lemma"),
    ("input_pipeline_train.params.target_column", "form"),
    ("input_pipeline_train.params.source_delimiter", ""),
]
DEV_FILE = ("input_pipeline_dev.params.files", "b.tsv")


def test_the_dev_set_has_the_class_columns_and_delimiters_of_the_training_set():
    dev = resolve(default_config("AttentionSeq2Seq"), [*TABLES, DEV_FILE]).input_pipeline_dev
    assert dev["class"] == "TSVInputPipeline"
    assert (dev.params.source_column, dev.params.target_column) == ("lemma", "form")
    assert (dev.params.source_delimiter, dev.params.target_delimiter) == ("", " ")
    assert dev.params.files == "b.tsv"


def test_settings_of_a_configuration_file_are_followed_as_well():
    config = default_config("AttentionSeq2Seq")
    config.input_pipeline_train["class"] = "TSVInputPipeline"
    config.input_pipeline_train.params = {"files": "a.tsv", "source_column": "lemma"}
    config.input_pipeline_dev.params = {"files": "b.tsv"}
    resolved = resolve(config)
    assert resolved.input_pipeline_dev.params.source_column == "lemma"
    assert resolve(resolved) == resolved


def test_settings_of_the_dev_set_take_precedence():
    own = [
        ("input_pipeline_dev.params.source_column", "word"),
        ("input_pipeline_dev.params.source_delimiter", "|"),
    ]
    dev = resolve(default_config("AttentionSeq2Seq"), [*own, *TABLES, DEV_FILE]).input_pipeline_dev
    assert (dev.params.source_column, dev.params.target_column) == ("word", "form")
    assert dev.params.source_delimiter == "|"


def test_a_dev_set_with_data_of_the_default_class_keeps_it():
    toy = ("input_pipeline_dev.params.builtin", "toy_copy")
    config = resolve(default_config("AttentionSeq2Seq"), [*TABLES[:-1], toy])
    assert config.input_pipeline_dev["class"] == "ParallelTextInputPipeline"


def test_tables_without_a_dev_set_are_reported_before_data_are_read():
    with pytest.raises(UserError, match=r"input_pipeline_dev.params.files: is empty; .*no-dev"):
        check_training(resolve(default_config("AttentionSeq2Seq"), TABLES))
