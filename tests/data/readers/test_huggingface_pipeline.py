"""Datasets of HuggingFace, on disk."""

import os
import sys

import pytest

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.data.readers.huggingface_pipeline import HuggingFaceInputPipeline
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.problems.protocol import problem_of
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.utils.errors import UserError

KEY = "input_pipeline_train.params"
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def datasets():
    pytest.importorskip("datasets", reason="the extra datasets is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "HF_DATASETS_OFFLINE", "1")
        import datasets

        datasets.disable_progress_bars()
        yield datasets


@pytest.fixture(scope="module")
def saved(datasets, tmp_path_factory):
    """A dataset on disk with two splits and a nested column."""
    directory = tmp_path_factory.mktemp("data") / "words"
    rows = {"word": ["ab", "c\nd", ""], "pair": [{"de": "a b", "en": "x"}] * 3, "n": [1, 2, 3]}
    splits = {"train": rows, "validation": {key: column[:1] for key, column in rows.items()}}
    whole = datasets.DatasetDict(
        {name: datasets.Dataset.from_dict(columns) for name, columns in splits.items()}
    )
    whole.save_to_disk(str(directory))
    return directory


def pipeline(path, **params):
    values = {"source_column": "word", "target_column": "pair.de", **params}
    return HuggingFaceInputPipeline(path=str(path), **values, key=KEY)


def test_columns_may_be_nested_and_line_feeds_become_spaces(saved):
    assert [tuple(pair) for pair in pipeline(saved)] == [("ab", "a b"), ("c d", "a b"), ("", "a b")]
    assert len(list(pipeline(saved, split="validation"))) == 1


def test_the_digest_identifies_split_and_columns(saved):
    digests = [
        pipeline(saved).content_digest(),
        pipeline(saved, split="validation").content_digest(),
        pipeline(saved, target_column="pair.en").content_digest(),
    ]
    assert len(set(digests)) == 3
    assert pipeline(saved).content_digest() == digests[0]


def test_a_run_reads_both_splits(saved, tmp_path):
    config = resolve(
        default_config("AttentionSeq2Seq"),
        [
            ("input_pipeline_train.class", "HuggingFaceInputPipeline"),
            ("input_pipeline_train.params.path", str(saved)),
            ("input_pipeline_train.params.source_column", "word"),
            ("input_pipeline_train.params.target_column", "pair.de"),
            ("input_pipeline_train.params.source_delimiter", ""),
            ("input_pipeline_dev.params.path", str(saved)),
            ("input_pipeline_dev.params.split", "validation"),
        ],
    )
    assert config.input_pipeline_dev["class"] == "HuggingFaceInputPipeline"
    data = problem_of(config).prepare_training(config, Workdir(tmp_path), Devices())
    assert set(data.vocabularies.source.tokens) == set("abcd ")
    assert data.dev.names == ["ab"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"source_column": "wort"}, "source_column: .* use one of: pair.de, pair.en, word"),
        ({"target_column": "n"}, "target_column: .* has no text column 'n'"),
        ({"split": "test"}, "split: .* has no split 'test'; use one of: train, validation"),
        ({"path": "nowhere"}, "path: nowhere is no directory"),
        ({"name": "wmt16"}, "path: .* use only one of them"),
        ({"streaming": True}, "streaming: is true, but path names a dataset on disk"),
    ],
)
def test_what_is_not_there_is_named(saved, params, message):
    with pytest.raises(UserError, match=message):
        pipeline(**{"path": saved, **params})


def test_a_directory_without_a_dataset_and_a_name_without_network_are_errors(datasets, tmp_path):
    with pytest.raises(UserError, match="is no dataset that save_to_disk wrote"):
        pipeline(tmp_path)
    with pytest.raises(UserError, match="no/such cannot be loaded") as caught:
        HuggingFaceInputPipeline(name="no/such", key=KEY)
    assert "\n" not in str(caught.value)


def test_without_the_library_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"input_pipeline_train\.class: .*\[datasets\]"):
        pipeline(tmp_path)


def test_neither_name_nor_path_is_an_error():
    with pytest.raises(UserError, match=r"params\.name: is empty; use the name of a dataset"):
        HuggingFaceInputPipeline(key=KEY)
