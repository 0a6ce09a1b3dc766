"""The web bundle: one file that runs the model in a browser and requests nothing."""

import json

import numpy as np
import pytest

from seq2seq_jax.config import resolve
from seq2seq_jax.export.web_bundle import write_web_bundle
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.storage.workdir import Workdir
from tests.chromium import chromium, needs_chromium
from tests.tiny_exports import TEXTS, bpe_run, exported, tiny

MODEL = "GRU, dot, reversed, length penalty"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@needs_chromium
def test_the_page_shows_what_predictor_answers_and_requests_nothing(browser, tmp_path):
    run = tiny(tmp_path / "run", MODEL)
    write_web_bundle(exported(run), tmp_path / "tiny.html")
    browser.open((tmp_path / "tiny.html").as_uri())
    browser.wait("document.getElementById('status').textContent.startsWith('Ready')")
    browser.type("a b c")
    (expected,) = Predictor.from_workdir(run.path, n_best=4).predict(["a b c"])
    browser.wait(f"document.getElementById('answer').textContent.startsWith('{expected.text}')")
    shown = browser.evaluate("document.getElementById('n-best').textContent")
    assert all(one.text in shown for one in expected.n_best)
    assert "step 10, weights in float32" in browser.evaluate("document.body.textContent")
    browser.evaluate("document.querySelector('#beam details').open = true")
    browser.wait("document.querySelectorAll('#beam svg[role=tree] path').length > 4")
    files = [address for address in browser.requests if not address.startswith(("blob:", "data:"))]
    assert files == [(tmp_path / "tiny.html").as_uri()]
    assert browser.problems == []


@needs_chromium
@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_the_browser_computes_the_scores_of_predictor(browser, precision, tmp_path):
    model = exported(bpe_run(tmp_path / "run"), precision)
    config = resolve(Workdir(tmp_path / "run").config())
    expected = Predictor([model.loaded], config).predict(TEXTS)
    write_web_bundle(model, tmp_path / "tiny.html")
    browser.open((tmp_path / "tiny.html").as_uri())
    ask = f"new LocalBackend().predict({json.dumps(TEXTS)}, {{beam_width: 5, n_best: 3}})"
    for answer, one in zip(browser.evaluate(ask), expected, strict=True):
        assert [h["text"] for h in answer["n_best"]] == [h.text for h in one.n_best]
        scores = [h["score"] for h in answer["n_best"]]
        np.testing.assert_allclose(scores, [h.score for h in one.n_best], atol=1e-4)
        assert answer["source_tokens"] == one.source_tokens


def test_a_file_that_exists_is_replaced_and_tokens_cannot_become_markup(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    model = exported(bpe_run(tmp_path / "run"))
    model.config["source"]["tokens"][0] = "</script><script>alert(1)</script><!--"
    write_web_bundle(model, path)
    page = path.read_text(encoding="utf-8")
    assert "alert(1)" in page and "<script>alert(1)" not in page
    assert "connect-src" not in page and "default-src 'none'" in page
