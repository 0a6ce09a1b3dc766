"""A multilingual model from its tables to its outputs."""

import json
import unicodedata

import pytest

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.problems.protocol import problem_of
from seq2seq_jax.storage.metrics_log import read_metrics
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.training.train import train
from seq2seq_jax.utils.errors import UserError

CONFIG = {
    "input_pipeline_train.class": "TSVInputPipeline",
    "input_pipeline_train.params.files": "{language}_train.tsv",
    "input_pipeline_train.params.header": "false",
    "input_pipeline_train.params.source_delimiter": "",
    "input_pipeline_dev.params.files": "{language}_dev.tsv",
    "encoder.class": "UnidirectionalRNNEncoder",
    "encoder.params.rnn_cell.cell_params.num_units": "4",
    "decoder.params.rnn_cell.cell_params.num_units": "4",
    "attention.params.num_units": "4",
    "embedding.dim": "3",
    "inference.max_decode_length": "4",
    "source.max_seq_len": "6",
    "buckets": "6",
    "batch_size": "8",  # module fixtures see eight devices
    "train_steps": "2",
    "eval_every_n_steps": "2",
    "metrics": "LogPerplexityMetricSpec,ErrorRateMetricSpec",
    "best_metric": "language/macro/sequence_error_rate",
}


def configure(**overrides):
    values = CONFIG | {key.replace("__", "."): value for key, value in overrides.items()}
    return resolve(default_config("AttentionSeq2Seq"), [*values.items()])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("languages")
    words = {"dut": ["abc", "bca", "cab", "aa", "bb", "cc"], "ice": ["xy", "yx"]}
    for language, found in words.items():
        rows = [f"{word}\t{' '.join(word)}\n" for word in found]
        (folder / f"{language}_train.tsv").write_text("".join(rows))
        (folder / f"{language}_dev.tsv").write_text("".join(rows[:2]))
    return folder


@pytest.fixture(scope="module")
def workdir(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train(configure(), folder / "run")
    return folder / "run"


def prepare(folder, monkeypatch, tmp_path, **overrides):
    monkeypatch.chdir(folder)
    config = configure(**overrides)
    return problem_of(config).prepare_training(config, Workdir(tmp_path / "run"), Devices())


def test_training_reports_the_results_of_each_language_and_their_mean(workdir):
    macro = "dev/language/macro/sequence_error_rate"
    last = [entry for entry in read_metrics(workdir) if macro in entry][-1]

    for name in ("sequence_error_rate", "log_perplexity"):
        languages = [last[f"dev/language/{language}/{name}"] for language in ("dut", "ice")]
        assert last[f"dev/language/macro/{name}"] == pytest.approx(sum(languages) / 2)


def test_eval_prints_a_table_of_languages_or_json(command, folder, workdir, monkeypatch):
    monkeypatch.chdir(folder)

    text, _ = command("eval", f"--workdir={workdir}")
    numbers = json.loads(command("eval", f"--workdir={workdir}", "--json")[0])

    rows = [line.split() for line in text.splitlines() if line]
    assert ["dut", "2"] in [row[:2] for row in rows] and rows[-1][0] == "macro"
    assert numbers["language"]["groups"]["ice"]["sources"] == 2
    macro = numbers["language"]["macro"]["sequence_error_rate"]
    assert numbers["language/macro/sequence_error_rate"] == macro


def test_the_language_is_an_argument_or_a_tag(command, workdir):
    predictor = Predictor.from_workdir(str(workdir))

    tagged = predictor.predict(["<dut> abc", "<ice> xy"])
    named = predictor.predict(["abc", "xy"], languages=["dut", "ice"])

    assert [one.log_prob for one in tagged] == [one.log_prob for one in named]
    assert tagged[0].source_tokens[:2] == ["<dut>", "a"]
    scores = predictor.score(["abc"], ["a b"], languages="dut")
    assert scores[0].log_prob == predictor.score(["<dut> abc"], ["a b"])[0].log_prob
    assert predictor.predict(["abc"], languages="ice")[0].log_prob != tagged[0].log_prob
    lines = command("infer", f"--workdir={workdir}", "--language=dut", "abc")[0]
    assert lines == tagged[0].text + "\n"


def test_texts_of_no_language_or_of_an_unknown_one_are_reported(workdir):
    predictor = Predictor.from_workdir(str(workdir))

    assert predictor.predict([""])[0].n_best == []
    with pytest.raises(UserError, match="source text 2: has no language"):
        predictor.predict(["<dut> a", "a"])
    with pytest.raises(UserError, match="unknown language 'tur'; the model knows dut, ice"):
        predictor.predict(["a"], languages="tur")


def test_a_temperature_draws_more_often_from_the_smaller_language(folder, monkeypatch, tmp_path):
    key = "input_pipeline_train__params__language_temperature"
    data = prepare(folder, monkeypatch, tmp_path, **{key: "1000"})
    vocabulary = data.vocabularies.source

    batch = next(data.batches)

    firsts = batch["source_ids"][:, 0].tolist()
    (ice,) = vocabulary.encode(["<ice>"])
    assert firsts.count(ice) == 4
    assert "ice" in data.report and "50.0% of an epoch" in data.report


def test_a_column_tells_the_language_of_each_row(folder, monkeypatch, tmp_path):
    table = tmp_path / "all.tsv"
    table.write_text("word\tlang\tphones\nab\tdut\ta b\nxy\tice\tx y\nba\t\tb a\n")
    params = {
        "input_pipeline_train__params__files": str(table),
        "input_pipeline_train__params__header": "true",
        "input_pipeline_train__params__source_column": "word",
        "input_pipeline_train__params__target_column": "phones",
        "input_pipeline_train__params__language_column": "lang",
        "eval_every_n_steps": "0",
    }
    with pytest.raises(UserError, match=r"all\.tsv:4: a language must be a name"):
        prepare(folder, monkeypatch, tmp_path, **params)

    table.write_text("word\tlang\tphones\nab\tdut\ta b\nxy\tice\tx y\n")
    data = prepare(folder, monkeypatch, tmp_path, **params)

    assert {"<dut>", "<ice>"} <= set(data.vocabularies.source.tokens)


def test_augmentation_adds_pairs_of_the_same_language(folder, monkeypatch, tmp_path):
    data = prepare(
        folder, monkeypatch, tmp_path, augmentation__copied_targets="3", eval_every_n_steps="0"
    )

    assert "11 read" in data.report and "3 copied targets" in data.report


def test_the_tag_of_a_small_language_must_not_be_left_out(folder, monkeypatch, tmp_path):
    with pytest.raises(UserError, match="vocab_source: has no tokens for the languages <ice>"):
        prepare(folder, monkeypatch, tmp_path, vocab_min_frequency="2")


def test_both_parts_need_languages(folder, monkeypatch, tmp_path):
    from seq2seq_jax.config import check_training

    monkeypatch.chdir(folder)
    dev = {"input_pipeline_dev__params__files": "dut_dev.tsv"}
    with pytest.raises(UserError, match=r"input_pipeline_dev\.params: has no languages"):
        check_training(configure(**dev))
    train_files = {"input_pipeline_train__params__files": "dut_train.tsv"}
    best = {"best_metric": "sequence_error_rate"}
    with pytest.raises(UserError, match="has languages, but the training set has none"):
        check_training(configure(**train_files, **best))
    with pytest.raises(UserError, match=r"language_temperature: is 2\.0, which needs languages"):
        key = "input_pipeline_train__params__language_temperature"
        check_training(configure(**train_files, **dev, **best, **{key: "2"}))


def test_a_model_of_jamo_reads_and_writes_composed_syllables(
    command, folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pairs.tsv").write_text("각하\t각\n하나\t나\n")
    params = {
        "input_pipeline_train__params__files": "pairs.tsv",
        "input_pipeline_train__params__target_delimiter": "",
        "input_pipeline_dev__params__files": "pairs.tsv",
        "source__normalization": "NFD",
        "target__normalization": "NFD",
        "best_metric": "sequence_error_rate",
    }

    train(configure(**params), tmp_path / "run")

    predictor = Predictor.from_workdir(str(tmp_path / "run"), forbid_unk=True)
    assert len(predictor.vocabularies.source.tokens) == 5
    composed, decomposed = predictor.predict(["각하", unicodedata.normalize("NFD", "각하")])
    assert len(composed.source_tokens) == 6
    assert composed.tokens == decomposed.tokens
    assert composed.text == unicodedata.normalize("NFC", "".join(composed.tokens))
    scores = predictor.score(["각하"] * 2, ["각", unicodedata.normalize("NFD", "각")])
    assert scores[0].log_prob == scores[1].log_prob
