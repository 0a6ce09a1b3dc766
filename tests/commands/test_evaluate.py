import json
import math

import pytest

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
