"""`seq2seq-jax serve` as a process, with tiny models."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.serving.client import Client, ServiceError
from seq2seq_jax.storage.workdir import Vocabularies
from tests.chromium import chromium, needs_chromium
from tests.serving.services import ServiceProcess
from tests.tiny_models import VOCABULARY
from tests.tiny_workdir import tiny_run

SECRET = "f e d c b"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs")
    for name, seed in (("first", 0), ("second", 1)):
        tiny_run(directory / name, {10: seed}, inference__batch_size=16)
    return directory


@pytest.fixture(scope="module")
def service(runs):
    service = ServiceProcess(f"--workdir={runs / 'first'}", f"--workdir=other={runs / 'second'}")
    yield service
    service.close()


@pytest.fixture(scope="module")
def client(service):
    with Client(service.url) as client:
        yield client


def test_the_answers_are_those_of_the_predictor(client, service, runs):
    options = {"beam_width": 3, "n_best": 2}
    predictor = Predictor.from_workdir(runs / "first", **options)
    expected = predictor.predict(["a b c", "", "d e"], return_attention=True)
    answers = client.predict(["a b c", "", "d e"], attention=True, beam=True, **options)
    assert [answer["text"] for answer in answers] == [one.text for one in expected]
    for answer, one in zip(answers, expected, strict=True):
        assert answer["source_tokens"] == one.source_tokens
        assert [h["text"] for h in answer["n_best"]] == [h.text for h in one.n_best]
        for values, hypothesis in zip(answer["n_best"], one.n_best, strict=True):
            assert values["log_prob"] == pytest.approx(hypothesis.log_prob, abs=1e-5)
            shape = len(values["attention"]), len(values["attention"][0])
            assert shape == hypothesis.attention.shape
    assert answers[1]["n_best"] == [] and answers[1]["beam"] is None
    tokens = [node[3] for node in answers[0]["beam"]["nodes"]]
    assert set(expected[0].tokens) <= set(tokens)


def test_an_answer_does_not_depend_on_its_batch_mates(client, service, runs):
    texts = [
        text
        for first in "abcdef"
        for text in (first, f"{first} " * 5, f"{first} a b c", f"b {first}")
    ]
    alone = {text: client.predict([text])[0] for text in texts}
    with ThreadPoolExecutor(24) as threads:
        answers = threads.map(lambda text: client.predict([text])[0], texts)
        together = dict(zip(texts, answers, strict=True))
    for text in texts:
        assert together[text]["text"] == alone[text]["text"]
        assert together[text]["log_prob"] == pytest.approx(alone[text]["log_prob"], abs=1e-5)
    metrics = httpx.get(f"{service.url}/metrics").text
    total = metrics.split('seq2seq_batch_size_count{model="first"} ')[1].split()[0]
    inputs = metrics.split('seq2seq_inputs_total{model="first"} ')[1].split()[0]
    assert float(total) < float(inputs)  # Some requests did share a batch.


def test_a_model_with_features_needs_those_of_each_text(tmp_path):
    features = Vocabulary(["V", "PST"])
    tiny_run(
        tmp_path / "run",
        {1: 6},
        vocabularies=Vocabularies(VOCABULARY, VOCABULARY, features),
        features__combine="source",
        inference__batch_size=16,
    )
    texts, bundles = ["a b c", "a b c", "f e"], ["V;PST", "V", ""]
    predictor = Predictor.from_workdir(tmp_path / "run")
    expected = predictor.predict(texts, features=bundles)
    service = ServiceProcess(f"--workdir={tmp_path / 'run'}")
    with Client(service.url) as client:
        assert client.model()["has_features"]
        answers = client.predict(texts, features=bundles, attention=True)
        assert [answer["text"] for answer in answers] == [one.text for one in expected]
        assert [answer["features"] for answer in answers] == bundles
        assert answers[0]["source_tokens"] == ["a", "b", "c", "SEQUENCE_END", "[PST]", "[V]"]
        (score,) = client.score(["a b c"], ["f e"], features=["V"])
        (one,) = predictor.score(["a b c"], ["f e"], features=["V"])
        assert score["log_prob"] == pytest.approx(one.log_prob, abs=1e-5)
        with pytest.raises(ServiceError, match="features: this model reads features; use one text"):
            client.predict(texts)
        with pytest.raises(ServiceError, match="must have one text for each of texts; got 1 for 3"):
            client.predict(texts, features=["V"])
    service.close()


def test_a_model_without_features_refuses_them(client):
    with pytest.raises(ServiceError, match="features: this model reads none"):
        client.predict(["a b"], features=["V"])


def test_models_have_names(client, service, runs):
    with Client(service.url, model="other") as other:
        expected = Predictor.from_workdir(runs / "second").predict(["a b c d e"])[0]
        assert other.predict(["a b c d e"])[0]["text"] == expected.text
        assert other.model()["name"] == "other"
    about = client.model()
    assert (about["name"], about["models"]) == ("first", ["first", "other"])
    assert about["description"].startswith("AttentionSeq2Seq, step 10, ")
    assert (about["input"], about["max_source_tokens"]) == ("text", 7)


def test_pairs_are_scored(client, runs):
    expected = Predictor.from_workdir(runs / "first").score(["a b c", "d"], ["f e", ""])
    scores = client.score(["a b c", "d"], ["f e", ""], attention=True)
    for values, one in zip(scores, expected, strict=True):
        assert values["log_prob"] == pytest.approx(one.log_prob, abs=1e-5)
        assert values["tokens"] == one.tokens
        assert len(values["attention"]) == len(values["tokens"])


@pytest.mark.parametrize(
    ("texts", "options", "sentence"),
    [
        (
            ["a b", "a " * 8],
            {},
            "texts[1]: has 8 tokens; this model reads at most 7; use",
        ),
        (["a b"], {"n_best": 3}, "options.n_best: "),
        (["a b"], {"beam_width": 2, "n_best": 3}, "options.n_best: "),
    ],
)
def test_what_the_model_cannot_do_is_said(client, texts, options, sentence):
    with pytest.raises(ServiceError) as raised:
        client.predict(texts, **options)
    assert raised.value.status == 422
    assert sentence in str(raised.value)


def test_a_long_text_is_truncated_if_that_is_wanted(client):
    long, short = client.predict(["a " * 9, "a " * 7], truncate=True)
    assert len(long["source_tokens"]) == 8
    assert len(short["source_tokens"]) == 8


def test_the_log_has_a_line_for_each_request_and_no_text(client, service):
    client.predict([SECRET])
    with pytest.raises(ServiceError):
        client.predict([f"{SECRET} " * 100])
    client.predict(["ö " * 4])  # A model that knows no letter of a text warns about it.
    for _ in range(100):
        objects = [line for line in service.lines if isinstance(line, dict)]
        lines = [line for line in objects if line["event"] == "request"]
        if len([line for line in lines if line["status"] == 422]) and lines[-1]["status"] == 200:
            break
        time.sleep(0.05)
    assert {"time", "level", "method", "path", "status", "seconds"} <= set(lines[-1])
    assert lines[-1]["model"] == "first" and lines[-1]["inputs"] == 1
    text = json.dumps(service.lines, ensure_ascii=False)
    assert SECRET not in text and "ö" not in text


def test_the_api_is_described(service):
    described = httpx.get(f"{service.url}/openapi.json").json()
    assert {"/v1/predict", "/v1/score", "/v1/model", "/health"} <= set(described["paths"])
    answers = described["paths"]["/v1/predict"]["post"]["responses"]
    assert {"200", "400", "413", "422", "429", "503"} <= set(answers)


@needs_chromium
def test_the_page_asks_this_service_and_nothing_else(service, tmp_path):
    with chromium() as browser:
        browser.open(service.url)
        browser.wait("document.title === 'first' && document.activeElement.id === 'text'")
        browser.type("a b c d e")
        browser.wait("!!document.querySelector('#attention .token')")
        assert browser.evaluate("document.querySelectorAll('#n-best .hypothesis').length") > 1
        browser.evaluate("document.querySelector('#beam summary').click()")
        browser.wait("!!document.querySelector('#beam [role=treeitem]')")
        browser.evaluate("document.querySelector('#text').select()")
        browser.type("a b c d e f a b c d e f")
        alert = "document.querySelector('[role=alert]').textContent"
        message = "The text has 12 tokens; this model reads at most 7; use a shorter text"
        assert browser.wait(alert) == message
        browser.evaluate(
            "(() => { const s = document.querySelector('#model'); s.value = 'other';"
            " s.dispatchEvent(new Event('change')); })()"
        )
        browser.wait("document.title === 'other'")
        assert [p for p in browser.problems if "422" not in p] == []
        assert [url for url in browser.requests if not url.startswith((service.url, "data:"))] == []


def test_sigterm_answers_what_was_accepted(service, client):
    answers = []

    def ask(text):
        # These options are new: they are compiled while the service is being stopped.
        body = {"texts": [text], "options": {"n_best": 4, "beam_width": 4}}
        answers.append(httpx.post(f"{service.url}/v1/predict", json=body, timeout=60))

    threads = [threading.Thread(target=ask, args=(text,)) for text in ("a b c", "d e", "f")]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    assert service.stop() == 0
    for thread in threads:
        thread.join()
    assert [response.status_code for response in answers] == [200, 200, 200]
    assert service.events()[-1] == "Stopped; all accepted requests are answered"


def test_what_cannot_be_served_is_one_line(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("seq2seq_jax.serving.server.serve", lambda *arguments: None)
    key = tmp_path / "key"
    key.write_text("short\n")
    first = f"--workdir={runs / 'first'}"

    def error(*arguments):
        assert main(["serve", *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err.splitlines()[-1]

    assert error() == "error: --workdir: name the run; use --workdir=runs/NAME"
    assert "two models have the name first" in error(first, first)
    assert error(first, "--port=x") == "error: --port: must be a whole number, 0 to 65535; got x"
    assert "--max-queue: must be a whole number, at least 1; got 0" in error(first, "--max-queue=0")
    assert "--options: must be some of beam_width, " in error(first, "--options=beams")
    assert "at least 8 printable ASCII characters" in error(first, f"--api-key-file={key}")
    assert "the API key cannot be read" in error(first, f"--api-key-file={tmp_path / 'none'}")
    assert "--host: 8.8.8.8 cannot be used" in error(first, "--host=8.8.8.8", "--port=0")
    assert str(tmp_path / "none") in error(f"--workdir={tmp_path / 'none'}", "--port=0")


def test_a_port_that_is_used_is_said_before_a_model_is_loaded(runs, capsys):
    from seq2seq_jax.serving.server import bind

    used = bind("127.0.0.1", 0)
    port = used.socket.getsockname()[1]
    assert main(["serve", "--workdir=nowhere", f"--port={port}"]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"error: --port: {port} cannot be used (")
    used.socket.close()
