"""An image model behind the HTTP service."""

import base64

import httpx
import pytest

from seq2seq_jax.captioning.problem import ImageProblem
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.training.train import train
from tests.captioning.test_training import config_of
from tests.serving.services import service_of
from tests.tiny_images import write_images


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("images")
    write_images(directory)
    return directory


@pytest.fixture(scope="module")
def client(directory, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    assert train(config_of(directory, train_steps=150, eval_every_n_steps=150), workdir)
    model = ImageProblem().served_model([], Workdir(workdir, trust=True))
    with service_of(model) as url, httpx.Client(base_url=url) as client:
        yield client


def ask(client, *files, **more):
    images = [base64.b64encode(file.read_bytes()).decode() for file in files]
    response = client.post("/v1/predict", json={"images": images, **more})
    return response.status_code, response.json()


def test_images_are_described_with_attention_over_their_positions(client, directory):
    files = directory / "red_blue.png", directory / "grey_grey.png"
    status, values = ask(client, *files, attention=True)
    assert status == 200
    assert [answer["text"] for answer in values["answers"]] == ["red blue", "grey grey"]
    assert values["answers"][0]["attention_shape"] == [2, 2]
    assert len(values["answers"][0]["attention"][0]) == 4
    assert values["answers"][0]["source_tokens"] == []


def test_a_request_can_ask_for_a_beam_of_an_image(client, directory):
    options = {"beam_width": 3, "n_best": 3}
    status, values = ask(client, directory / "red_blue.png", options=options)
    assert status == 200
    texts = [hypothesis["text"] for hypothesis in values["answers"][0]["n_best"]]
    assert texts[0] == "red blue"
    assert len(set(texts)) == 3


def test_what_is_no_image_is_said_with_its_place(client, directory, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes((directory / "red_red.png").read_bytes()[:50])
    text = tmp_path / "text.png"
    text.write_text("no image")
    for file in (broken, text):
        status, values = ask(client, directory / "red_red.png", file)
        assert status == 422
        assert values["error"].startswith("images[1]: ")
    response = client.post("/v1/predict", json={"images": ["no base64!"]})
    assert response.json() == {"error": "images[0]: must be base64; use that of the file"}
    response = client.post("/v1/predict", json={"texts": ["a"]})
    assert "this model reads images" in response.json()["error"]
    response = client.post("/v1/score", json={"sources": ["a"], "targets": ["b"]})
    assert (response.status_code, "images" in response.json()["error"]) == (422, True)


def test_the_model_says_that_it_reads_images(client):
    about = client.get("/v1/model").json()
    assert (about["input"], about["has_attention"], about["has_beam"]) == ("image", True, False)
