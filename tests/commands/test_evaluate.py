import json
import math

import pytest

from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.storage.workdir import Vocabularies
from tests.tiny_workdir import tiny_run

SOURCES = ["a b c", "f", "e e e e e e e", "b", "c d", "d d f a", "c"]
SEARCHES = {
    "beam of an average": {
        "beam_search.beam_width": 3,
        "beam_search.length_penalty_weight": 1.0,
        "n_best": 2,
        "average_checkpoints": "last:2",
        "min_decode_length": 2,
    },
    "samples": {"sampling.enable": "true", "n_best": 2, "sampling.seed": 3},
    "ensemble": {"ensemble": "two", "ensemble_mean": "linear", "forbid_unk": "true"},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs")
    tiny_run(directory / "one", {10: 6, 20: 7})
    tiny_run(directory / "two", {10: 9}, model="BasicSeq2Seq")
    (directory / "sources").write_text("\n".join(SOURCES) + "\n")
    return directory


@pytest.mark.parametrize("search", SEARCHES)
def test_evaluation_searches_and_scores_as_inference_does(
    command, runs, tmp_path, monkeypatch, search
):
    monkeypatch.chdir(runs)
    flags = [f"--config.inference.{key}={value}" for key, value in SEARCHES[search].items()]
    texts = command("infer", "--workdir=one", "--input=sources", *flags)[0].splitlines()
    pairs = [(s, t) for s, t in zip(SOURCES, texts, strict=True) if t]
    assert len(pairs) > 3
    files = {side: tmp_path / side for side in ("source", "target")}
    for file, lines in zip(files.values(), zip(*pairs, strict=True), strict=True):
        file.write_text("\n".join(lines) + "\n")

    out, _ = command(
        "eval",
        "--workdir=one",
        *flags,
        *(f"--config.input_pipeline_dev.params.{s}_files={file}" for s, file in files.items()),
        "--config.metrics=LogPerplexityMetricSpec,AccuracyMetricSpec",
    )
    results = dict(line.split() for line in out.splitlines())
    assert float(results["sequence_accuracy"]) == 100

    named = [f"--{side}={file}" for side, file in files.items()]
    total = json.loads(command("score", "--workdir=one", *flags, *named, "--total", "--json")[0])
    assert math.isclose(float(results["perplexity"]), total["perplexity"], rel_tol=1e-4)


def dev_files(directory, sources: list[str], targets: list[str]) -> list[str]:
    flags = []
    for side, lines in (("source", sources), ("target", targets)):
        file = directory / side
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        flags.append(f"--config.input_pipeline_dev.params.{side}_files={file}")
    return flags


@pytest.mark.parametrize("name", ["eval", "errors"])
def test_what_is_dropped_and_truncated_of_the_dev_set_is_reported(command, runs, tmp_path, name):
    flags = dev_files(tmp_path, ["a b c", "", "c d", "a"], ["a b c", "a", "f " * 80, ""])
    _, log = command(name, f"--workdir={runs / 'one'}", *flags)
    lines = log.splitlines()
    assert "Pairs              4 read, 2 kept, 2 dropped (1 empty source, 1 empty target)" in lines
    assert "Truncated          0 sources, 1 targets (longer than max_seq_len)" in lines
    assert "Out of vocabulary  0.00% of source tokens, 0.00% of target tokens" in lines


def test_a_dev_set_that_the_vocabulary_does_not_cover_is_explained(command, runs, tmp_path, caplog):
    command("eval", f"--workdir={runs / 'one'}", *dev_files(tmp_path, ["A B c"], ["x y a"]))
    sources, targets = (record.getMessage() for record in caplog.records)
    assert sources == (
        "66.67% of the source tokens of the dev set are out of vocabulary. Likely reason: the"
        " vocabulary is lower-case."
    )
    assert targets.startswith("66.67% of the target tokens of the dev set are out of vocabulary.")


def test_a_dev_set_in_another_unicode_normal_form_is_reported(command, tmp_path, caplog):
    accents = Vocabulary("abcdé")
    tiny_run(tmp_path / "run", {1: 0}, vocabularies=Vocabularies(accents, accents))
    flags = dev_files(tmp_path, ["a b c e\u0301"], ["a b é"])
    command("eval", f"--workdir={tmp_path / 'run'}", *flags)
    (warning,) = (record.getMessage() for record in caplog.records)
    assert warning.startswith("the sources of the dev set are in Unicode normal form NFD, but")
