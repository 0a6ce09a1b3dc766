import json
import subprocess
import sys

import jax
import numpy as np
import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.data.readers.records import read_records
from seq2seq_jax.data.readers.tfds_pipeline import TFDSInputPipeline
from seq2seq_jax.storage.metrics_log import read_metrics
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.installation import install_command
from tests.data.readers.tfrecord_files import write_records
from tests.data.readers.tiny_tfds import prepare, prepare_translations

KEY = "input_pipeline_train.params"
PAIRS = [(f"the cat {i}", f"die Katze {i} über") for i in range(200)]
NAME = "wmt16_translate/de-en"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Prepare datasets that all tests share."""
    data_dir = tmp_path_factory.mktemp("tensorflow_datasets")
    prepare_translations(data_dir, {"train": PAIRS, "validation": PAIRS[:6]})
    stories = [
        {"article": "Mr X left.\r\nHe fell.", "highlights": "X left .\nX fell .", "n": {"id": "a"}},
        {"article": "笑\u2028!", "highlights": "", "n": {"id": "b"}},
    ]
    features = {"article": "text", "highlights": "text", "n": {"id": "text"}, "year": np.int64}
    for story in stories:
        story["year"] = 2016
    keys = ("article", "highlights")
    prepare(data_dir, "news", features, {"train": stories}, supervised_keys=keys)
    return data_dir


def pipeline(data_dir, name=NAME, **params) -> TFDSInputPipeline:
    return TFDSInputPipeline(name, data_dir=str(data_dir), key=KEY, **params)


def message(data_dir, name=NAME, **params) -> str:
    with pytest.raises(UserError) as error:
        list(pipeline(data_dir, name, **params))
    text = str(error.value)
    assert len(text.splitlines()) == 1
    return text


def test_a_published_dataset_is_read_by_name_split_and_features(data_dir):
    found = pipeline(data_dir, split="train", source_feature="en", target_feature="de")

    assert list(found) == PAIRS
    assert list(found) == list(found)
    assert next(iter(found)).source == "the cat 0"


def test_without_features_those_that_the_dataset_declares_are_used(data_dir):
    german, english = next(iter(pipeline(data_dir, split="validation")))
    assert (english, german) == PAIRS[0]


@pytest.mark.parametrize(
    ("split", "indices"),
    [
        ("train[:1%]", range(2)),
        ("train[50%:]", range(100, 200)),
        ("train[-3:]", range(197, 200)),
        ("validation+train[:2]", [*range(6), 0, 1]),
    ],
)
def test_parts_of_splits_are_those_of_tensorflow_datasets(data_dir, split, indices):
    found = pipeline(data_dir, split=split, source_feature="en", target_feature="de")
    assert list(found) == [PAIRS[i] for i in indices]


def test_line_feeds_become_spaces_and_other_separators_stay(data_dir):
    assert list(pipeline(data_dir, "news")) == [
        ("Mr X left. He fell.", "X left . X fell ."),
        ("笑\u2028!", ""),
    ]


def test_a_nested_feature_is_named_with_a_slash(data_dir):
    found = pipeline(data_dir, "news", source_feature="n/id", target_feature="article")
    assert [pair.source for pair in found] == ["a", "b"]


def test_datasets_of_tfrecord_files_are_read(data_dir, tmp_path):
    directory = tmp_path / "news" / "1.0.0"
    directory.mkdir(parents=True)
    (prepared,) = (data_dir / "news" / "1.0.0").glob("*.array_record-*")
    records = [record.data for record in read_records(prepared)]
    write_records(directory / prepared.name.replace("array_record", "tfrecord"), records)
    for name in ("dataset_info.json", "features.json"):
        text = (prepared.parent / name).read_text()
        (directory / name).write_text(text.replace("array_record", "tfrecord"))

    assert list(pipeline(tmp_path, "news")) == list(pipeline(data_dir, "news"))


def test_the_latest_version_is_read_by_default(tmp_path):
    first = prepare(tmp_path, "mine", {"a": "text", "b": "text"}, {"train": [{"a": "1", "b": "x"}]})
    ninth, tenth = first.parent / "1.9.0", first.parent / "1.10.0"
    features = {"source_feature": "a", "target_feature": "b"}
    for directory, text in ((ninth, "9"), (tenth, "10")):
        other = tmp_path / text
        prepared = prepare(
            other, "mine", {"a": "text", "b": "text"}, {"train": [{"a": text, "b": "x"}]}
        )
        info = json.loads((prepared / "dataset_info.json").read_text())
        info["version"] = directory.name
        (prepared / "dataset_info.json").write_text(json.dumps(info))
        prepared.rename(directory)

    def source(name):
        return next(iter(pipeline(tmp_path, name, **features))).source

    assert [source(name) for name in ("mine", "mine:1.9.0", "mine:1.*.*")] == ["10", "9", "10"]
    assert message(tmp_path, "mine:2.0.0", **features) == (
        f"{KEY}.name: {first.parent} has no version 2.0.0; valid: 1.0.0, 1.9.0, 1.10.0"
    )


def test_a_dataset_that_is_not_prepared_is_reported_with_the_command_that_prepares_it(data_dir):
    assert message(data_dir, "gigaword") == (
        f"{KEY}.name: gigaword is not prepared in {data_dir} (present: news, wmt16_translate),"
        " and nothing is downloaded automatically; to prepare a published dataset:"
        f' {install_command("tfds", "tf")} && python -c "import tensorflow_datasets as tfds;'
        f" tfds.builder('gigaword', data_dir='{data_dir}',"
        " file_format='array_record').download_and_prepare()\""
    )


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"name": ""}, "name: no dataset; use a name such as wmt16_translate/de-en"),
        ({"name": "wmt16 translate"}, "name: must be a name such as wmt16_translate/de-en or "),
        ({"name": "wmt16_translate"}, "has the configurations de-en; use wmt16_translate/de"),
        ({"split": "dev"}, "split: no split 'dev' in wmt16_translate; valid: train, validation"),
        ({"split": "train["}, "split: no split 'train[' in wmt16_translate (Error parsing "),
        ({"split": "train[500:]"}, "(Requested slice [500:200] incompatible with 200 examples.)"),
        (
            {"split": "validation[:1%]"},
            "split: 'validation[:1%]' has no examples; wmt16_",
        ),
        (
            {"source_feature": "fr"},
            "source_feature: wmt16_translate has no text feature 'fr'; its",
        ),
        ({"name": "news", "target_feature": "year"}, "features are article, highlights, n/id"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_an_unknown_dataset_split_or_feature_is_an_error_that_lists_the_valid_ones(
    data_dir, params, expected
):
    text = message(data_dir, **params)
    assert text.startswith(f"{KEY}.")
    assert expected in text


def test_a_feature_is_required_if_the_dataset_declares_none(tmp_path):
    prepare(tmp_path, "plain", {"a": "text"}, {"train": [{"a": "x"}]})
    assert message(tmp_path, "plain") == (
        f"{KEY}.source_feature: is required: plain declares no default; its text features are a"
    )


def test_invalid_files_of_a_dataset_are_reported(tmp_path):
    def prepared(name):
        texts = {"a": "text", "b": "text"}
        examples = [{"a": f"x{i}", "b": "y"} for i in range(3)]
        directory = prepare(tmp_path, name, texts, {"train": examples}, supervised_keys=("a", "b"))
        (file,) = directory.glob("*.array_record-*")
        return directory, file

    _, file = prepared("missing")
    file.unlink()
    assert message(tmp_path, "missing") == f"{file}: cannot be read (No such file or directory)"

    directory, file = prepared("short")
    info = directory / "dataset_info.json"
    info.write_text(info.read_text().replace('"3"', '"7"'))
    assert message(tmp_path, "short").startswith(f"{file}: ends before record 7")

    _, file = prepared("latin")
    records = [record.data.replace(b"x1", b"\xfc1") for record in read_records(file)]
    write_records(file, records)
    assert message(tmp_path, "latin").startswith(f"{file} record 2: feature 'a' is not UTF-8")

    directory, _ = prepared("columns")
    info = directory / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "parquet"))
    assert message(tmp_path, "columns").startswith(
        f"{directory}: has parquet files, but only array_record and tfrecord can be read; prepare"
    )

    directory, _ = prepared("strange")
    (directory / "dataset_info.json").write_text("{")
    assert message(tmp_path, "strange").startswith(f"{directory}: is not a dataset of tensorflow-d")


def test_the_digest_depends_only_on_the_records_and_the_features(data_dir, tmp_path):
    def digest(where=data_dir, **params):
        return pipeline(where, **params).content_digest()

    prepare_translations(tmp_path, {"train": PAIRS, "validation": PAIRS[:6]})
    assert digest() == digest() == digest(tmp_path) == digest(split="train[:200]")
    others = [
        digest(split="train[:199]"),
        digest(split="validation"),
        digest(source_feature="en", target_feature="de"),
    ]
    assert len({digest(), *others}) == 4


def test_tensorflow_datasets_is_imported_late_and_tensorflow_never(data_dir):
    code = (
        "import sys; from seq2seq_jax.data.readers.tfds_pipeline import TFDSInputPipeline\n"
        "assert 'tensorflow_datasets' not in sys.modules\n"
        f"list(TFDSInputPipeline('{NAME}', data_dir='{data_dir}', key='k'))\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_a_missing_library_is_an_error_that_names_the_extra(data_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    assert message(data_dir) == (
        f"{KEY}.name: needs tensorflow-datasets; use {install_command('tfds')}"
    )


@pytest.fixture
def _fast_compilation():
    """Compile quickly, because the program runs only once."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.usefixtures("_fast_compilation")
def test_the_recipe_wmt16_en_de_trains_on_the_dataset_of_that_name(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    monkeypatch.setenv("SEQ2SEQ_JAX_CACHE", str(tmp_path / "cache"))
    small = {
        "train_steps": 1,
        "eval_every_n_steps": 0,
        "batch_size": 4,
        "subwords.size": 20,
        "embedding.dim": 6,
        "attention.params.num_units": 6,
        "encoder.params.rnn_cell.cell_params.num_units": 6,
        "encoder.params.rnn_cell.num_layers": 1,
        "decoder.params.rnn_cell.cell_params.num_units": 6,
        "decoder.params.rnn_cell.num_layers": 1,
    }
    flags = [f"--config.{key}={value}" for key, value in small.items()]

    workdir = tmp_path / "run"
    config = "configs/wmt16_en_de.py"
    assert main(["train", f"--config={config}", f"--workdir={workdir}", *flags]) == 0
    (line,) = read_metrics(workdir)
    assert 0 < line["train/loss"] < 10
    codes = (workdir / "subwords.source.codes").read_text()
    assert codes == (workdir / "subwords.target.codes").read_text()
    assert "K a" in codes  # from German, although the source is English
