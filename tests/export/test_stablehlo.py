"""Programs in StableHLO give the texts and scores of `Predictor`."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

from seq2seq_jax.config import resolve
from seq2seq_jax.export.stablehlo import check_installed, default_lengths, write_stablehlo
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.utils.errors import UserError
from tests.tiny_exports import TEXTS, bpe_run, exported

CODE = """
import json, sys
import seq2seq_stablehlo
model = seq2seq_stablehlo.load()
predictions = model.predict(json.loads(sys.argv[1]))
answers = [[[h.text, h.score, h.finished] for h in p.n_best] for p in predictions]
print(json.dumps(answers))
print(sorted({"flax", "seq2seq_jax"} & set(sys.modules)))
"""


needs_flatbuffers = pytest.mark.skipif(
    not importlib.util.find_spec("flatbuffers"), reason="flatbuffers is not installed"
)


@needs_flatbuffers
def test_the_programs_need_jax_alone_and_answer_as_predictor(tmp_path):
    run = bpe_run(tmp_path / "run")
    config = resolve(run.config())
    write_stablehlo(exported(run), config, tmp_path / "programs", lengths=[4, 8])
    description = json.loads((tmp_path / "programs" / "config.json").read_text(encoding="utf-8"))
    assert [(p["batch"], p["length"]) for p in description["programs"]] == [
        (1, 4), (1, 8), (3, 4), (3, 8),
    ]  # fmt: skip
    assert description["stablehlo"]["platforms"] == ["cpu", "cuda", "tpu"]
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(TEXTS)],
        cwd=tmp_path / "programs", capture_output=True, text=True, check=True,
    )  # fmt: skip
    found, modules = map(json.loads, done.stdout.replace("'", '"').splitlines())
    assert modules == []
    expected = Predictor.from_workdir(run.path).predict(TEXTS)
    for one, other in zip(found, expected, strict=True):
        assert [h[0] for h in one] == [h.text for h in other.n_best]
        assert [h[2] for h in one] == [h.finished for h in other.n_best]
        np.testing.assert_allclose([h[1] for h in one], [h.score for h in other.n_best], atol=1e-4)


def test_lengths_reach_the_longest_source():
    assert default_lengths(40) == [8, 16, 32, 40]
    assert default_lengths(8) == [8]
    assert default_lengths(5) == [5]


def test_without_flatbuffers_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(UserError, match="--format: stablehlo needs flatbuffers: pip install"):
        check_installed()
