"""What a service refuses, and how; with a model that is made of words, over real HTTP."""

import contextlib
import json
import socket
import struct
import threading
import time

import httpx
import pytest

from seq2seq_jax.serving.client import Client, ServiceError
from tests.chromium import chromium, needs_chromium
from tests.serving.services import UpperCase, service_of


@pytest.fixture(scope="module")
def service():
    limits = {"max_inputs": 8, "max_chars": 20, "max_body": 100_000, "read_timeout": 1.0}
    with running(**limits) as (client, _, _):
        yield client


@contextlib.contextmanager
def running(delay=0.0, **settings):
    """Yields a client of a service of capital letters, its address and its model."""
    model = UpperCase(delay)
    with service_of(model, **settings) as url, httpx.Client(base_url=url) as client:
        yield client, url, model


def post(client, body, path="/v1/predict", **keywords):
    response = client.post(path, json=body, **keywords)
    return response.status_code, response.json()


def raw(client):
    """Returns a socket that is connected to the service."""
    return socket.create_connection((client.base_url.host, client.base_url.port), timeout=10)


HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_texts_are_answered_in_their_order(service):
    status, values = post(service, {"texts": ["a", "", "b"]})
    assert (status, values["model"]) == (200, "tested")
    assert [answer["text"] for answer in values["answers"]] == ["A", "", "B"]
    status, values = post(service, {"sources": ["a"], "targets": ["xy"]}, "/v1/score")
    assert (status, values["scores"]) == (200, [{"log_prob": -2.0}])


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "body: this model reads texts; use texts, and no other inputs"),
        ([], "The body must be a JSON object; send one with Content-Type: application/json."),
        ({"texts": []}, "texts: list should have at least 1 item after validation, not 0"),
        ({"texts": "a"}, "texts: input should be a valid list"),
        ({"texts": ["a", 5]}, "texts[1]: input should be a valid string"),
        ({"texts": ["a"], "beams": 5}, "beams: extra inputs are not permitted"),
        ({"texts": ["a"], "images": ["a"]}, "use texts, and no other inputs"),
        ({"texts": ["a"] * 9}, "texts: must have at most 8 items; got 9; use several requests"),
        ({"texts": ["a", "b" * 21]}, "texts[1]: has 21 characters; at most 20 are allowed"),
        ({"texts": ["refused"]}, "texts[0]: is refused; use another text"),
        ({"texts": ["a"], "options": {"beam_width": 11}}, "options.beam_width: must be at most 10"),
        ({"texts": ["a"], "options": {"beam_width": "5"}}, "options.beam_width: input should be"),
        ({"texts": ["a"], "options": {"sampling": True}}, "does not allow this option; it allows"),
        ({"texts": ["a"], "attention": 1}, "attention: input should be a valid boolean"),
    ],
)
def test_a_wrong_request_is_refused_in_one_sentence(service, body, sentence):
    status, values = post(service, body)
    assert status == 422
    assert set(values) == {"error"}
    assert sentence in values["error"]
    assert "\n" not in values["error"]


def test_pairs_must_correspond(service):
    status, values = post(service, {"sources": ["a", "b"], "targets": ["x"]}, "/v1/score")
    assert status == 422
    assert values["error"] == "targets: must have a target for each source; got 1 for 2 sources"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"texts": ["\\ud800"]}',
        b"[" * 50_000,
        b'{"texts": [' + b"9" * 9000,
    ],
)
def test_malformed_json_is_a_client_error(service, body):
    response = service.post(
        "/v1/predict", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code in (400, 422)
    assert list(response.json()) == ["error"]


def test_an_unknown_path_method_or_model_is_said(service):
    assert "GET /openapi.json" in service.get("/v2").json()["error"]
    assert (service.get("/v2").status_code, service.get("/v1/predict").status_code) == (404, 405)
    status, values = post(service, {"texts": ["a"], "model": "lower"})
    assert (status, values["error"]) == (404, "There is no such model; use one of tested")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_10_mb_is_refused_and_the_client_gets_the_answer(service, chunked):
    body = b'{"texts": ["' + b"a" * 10_000_000 + b'"]}'
    content = iter([body[start : start + 50_000] for start in range(0, len(body), 50_000)])
    headers = {"Content-Type": "application/json"}
    response = service.post("/v1/predict", content=content if chunked else body, headers=headers)
    assert response.status_code == 413
    assert response.json()["error"].startswith("The body has more than 100,000 bytes")


def test_an_endless_body_is_cut_off(service):
    with raw(service) as connection:
        connection.sendall(HEAD + b"Content-Length: 99999999999\r\n\r\n")
        assert b" 413 " in connection.recv(1000)


def test_a_slow_body_is_refused_while_others_are_answered(service):
    with raw(service) as slow:
        slow.sendall(HEAD + b'Content-Length: 50\r\n\r\n{"te')
        assert post(service, {"texts": ["a"]})[0] == 200
        answer = slow.recv(1000)
        assert b" 408 " in answer
        assert b"did not arrive within 1 second" in answer + slow.recv(1000)


def test_a_connection_on_which_no_whole_head_arrives_is_closed(service):
    with raw(service) as slow:
        start = time.monotonic()
        slow.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nX-Sl")
        assert slow.recv(1000) == b""
        assert 0.5 < time.monotonic() - start < 5


def test_clients_that_vanish_do_no_harm(service):
    for body in (b'{"texts": ["a"]}', b'{"texts"'):
        for _ in range(20):
            connection = raw(service)
            connection.sendall(HEAD + b"Content-Length: 16\r\n\r\n" + body)
            linger = struct.pack("ii", 1, 0)  # As after kill -9: the connection is reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()
    assert post(service, {"texts": ["b"]})[1]["answers"][0]["text"] == "B"


def test_an_unexpected_error_is_said_without_details_and_without_the_text(service, caplog):
    status, values = post(service, {"texts": ["broken"]})
    assert status == 500
    assert values == {"error": "The service failed to answer this request; its log says more."}
    assert post(service, {"texts": ["a"]})[0] == 200


def test_metrics_count_requests_and_batches_without_any_text(service):
    post(service, {"texts": ["secret"]})
    service.get("/secret")
    text = service.get("/metrics").text
    assert 'seq2seq_requests_total{path="/v1/predict",status="200"}' in text
    assert 'seq2seq_batch_size_bucket{le="4.0",model="tested"}' in text
    assert 'seq2seq_queue_size{model="tested"} 0.0' in text
    assert "seq2seq_request_duration_seconds_sum" in text
    assert "secret" not in text.lower()


def test_answers_have_headers_that_restrict_browsers(service):
    headers = service.get("/").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


def test_a_form_of_another_site_cannot_ask(service):
    response = service.post("/v1/predict", content='{"texts": ["a"]}')
    assert response.status_code == 422
    assert "Content-Type: application/json" in response.json()["error"]


def test_more_requests_than_can_wait_are_refused_and_the_client_tries_again():
    with running(delay=0.4, max_queue=2) as (client, url, _):
        answers = []

        def ask(texts, asker):
            answers.append(asker(texts))

        direct = lambda texts: client.post("/v1/predict", json={"texts": texts})  # noqa: E731
        first = threading.Thread(target=ask, args=(["a"], direct))
        first.start()
        time.sleep(0.15)
        waiting = threading.Thread(target=ask, args=(["b", "c"], direct))
        waiting.start()
        time.sleep(0.1)
        refused = direct(["d"])
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json()["error"] == (
            "Too many requests wait for this model; try again later."
        )
        with Client(url, retries=0) as hasty, pytest.raises(ServiceError) as raised:
            hasty.predict(["d"])
        assert raised.value.status == 429
        with Client(url) as patient:
            assert patient.predict(["e"])[0]["text"] == "E"
        first.join()
        waiting.join()
        assert [response.status_code for response in answers] == [200, 200]


def test_a_request_that_takes_too_long_is_given_up():
    with running(delay=0.5, timeout=0.1) as (client, _, _):
        status, values = post(client, {"texts": ["a"]})
        assert status == 503
        assert "did not answer within 0.1 seconds" in values["error"]


def test_the_end_of_a_service_waits_for_the_requests_that_it_has_accepted():
    answers = []
    with running(delay=0.5) as (_, url, _):
        ask = lambda: answers.append(httpx.post(f"{url}/v1/predict", json={"texts": ["a"]}))  # noqa: E731
        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
    for thread in threads:
        thread.join()
    assert [response.status_code for response in answers] == [200] * 6
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")


def test_the_requests_of_clients_that_are_gone_are_not_computed():
    with running(delay=0.4) as (client, _, model):
        with raw(client) as first, raw(client) as second:
            for connection, text in ((first, "a"), (second, "b")):
                body = json.dumps({"texts": [text]}).encode()
                length = str(len(body)).encode()
                connection.sendall(HEAD + b"Content-Length: " + length + b"\r\n\r\n" + body)
                time.sleep(0.15)
        assert post(client, {"texts": ["c"]})[0] == 200
        assert model.batches == [["a"], ["c"]]


def test_a_key_is_needed_for_everything_but_the_page():
    key = "correct-horse-battery"
    with running(api_key=key) as (client, url, _):
        for path in ("/v1/model", "/metrics", "/openapi.json", "/else"):
            refused = client.get(path)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code != 401
        for wrong in (f"Bearer {key}x", key, f"Basic {key}", ""):
            headers = {"Authorization": wrong}
            assert post(client, {"texts": ["a"]}, headers=headers)[0] == 401
        assert client.get("/").status_code == client.get("/page.js").status_code == 200
        with Client(url, api_key=key) as allowed:
            assert allowed.predict(["a"])[0]["text"] == "A"
            assert allowed.score(["a"], ["xyz"])[0]["log_prob"] == -3
            assert allowed.model()["name"] == "tested"
            assert allowed.predict([]) == []
            with pytest.raises(TypeError, match="list of texts"):
                allowed.predict("a")


@needs_chromium
def test_the_page_asks_for_the_key_and_sends_only_options_that_are_allowed():
    key = "correct-horse-battery"
    with running(api_key=key, options="") as (_, url, _), chromium() as browser:
        browser.open(url)
        browser.wait("document.activeElement.id === 'key'")
        assert "needs its API key" in browser.evaluate(
            "document.querySelector('[role=alert]').textContent"
        )
        browser.type(key)
        browser.press("Enter")
        browser.wait("document.title === 'tested'")
        browser.wait("document.activeElement.id === 'text'")
        browser.type("abc")
        assert browser.wait("document.querySelector('#answer').textContent") == "ABC"
