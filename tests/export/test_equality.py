"""The programs of the exports give the texts and scores of `Predictor`, for models of all kinds."""

import shutil

import pytest

from seq2seq_jax.inference.predictor import Predictor
from tests.tiny_exports import (
    MODELS,
    TEXTS,
    assert_equal,
    bpe_run,
    exported,
    in_node,
    in_numpy,
    tiny,
)

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
SUBWORD_TEXTS = ["abab cd", "efef  abcd abab", "xyz abx", "@@ UNK b@@", "UNK", "ab" * 30]


@pytest.fixture(scope="module", params=[*MODELS, "BPE"])
def case(request, tmp_path_factory):
    """Return an exported model, texts, and the predictions of `Predictor`."""
    path = tmp_path_factory.mktemp("run") / "run"
    is_bpe = request.param == "BPE"
    run, texts = (bpe_run(path), SUBWORD_TEXTS) if is_bpe else (tiny(path, request.param), TEXTS)
    predictor = Predictor.from_workdir(run.path)
    expected = predictor.predict(texts, return_attention=predictor.has_attention)
    assert len({p.score for p in expected}) > 4
    if is_bpe:
        assert any(token.endswith("@@") for p in expected for token in p.source_tokens)
        assert any(token.endswith("@@") for p in expected for token in p.tokens)
    return exported(run), texts, expected


def test_numpy_gives_the_texts_scores_and_attention_of_predictor(case):
    model, texts, expected = case
    assert_equal(in_numpy(model).predict(texts), expected)


@needs_node
def test_javascript_gives_the_texts_scores_and_attention_of_predictor(case, tmp_path):
    model, texts, expected = case
    assert_equal(in_node(model, tmp_path)(texts), expected)
