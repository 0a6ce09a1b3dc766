"""The format of JSON lines, key by key."""

import json

import numpy as np

from seq2seq_jax.inference.json_lines import prediction_line, score_line
from seq2seq_jax.inference.predictions import Hypothesis, Prediction, TargetScore

ATTENTION = np.array([[0.25, 0.75], [1, 0]], np.float32)
N_BEST = [
    Hypothesis("naïve", ["naïve"], -1.5, float(np.float32(-1.2)), ATTENTION),
    Hypothesis("", [], -2.0, -2.0, ATTENTION[:1], finished=False),
]
PREDICTION = Prediction("x", ["x", "SEQUENCE_END"], N_BEST)


def test_a_prediction_has_the_keys_of_its_best_hypothesis_and_all_hypotheses():
    best = {"text": "naïve", "tokens": ["naïve"], "score": -1.2, "log_prob": -1.5}
    best["finished"] = True
    second = {"text": "", "tokens": [], "score": -2.0, "log_prob": -2.0, "finished": False}
    line = prediction_line(PREDICTION)
    assert "\n" not in line and "naïve" in line
    assert json.loads(line) == {"source": "x", **best, "n_best": [best, second]}


def test_attention_is_included_if_requested():
    found = json.loads(prediction_line(PREDICTION, attention=True))
    assert found["attention"] == ATTENTION.tolist()
    assert [one["attention"] for one in found["n_best"]] == [ATTENTION.tolist(), [[0.25, 0.75]]]


def test_an_empty_source_has_empty_values():
    expected = '{"source": "", "text": "", "tokens": [], "n_best": []}'
    assert prediction_line(Prediction("", [], []), attention=True) == expected


def test_a_score_has_a_log_probability_for_each_token():
    log_probs = np.array([-0.1, -0.2], np.float32)
    score = TargetScore("x", "y", ["x", "SEQUENCE_END"], ["y", "SEQUENCE_END"], log_probs)
    expected = {
        "source": "x",
        "target": "y",
        "log_prob": -0.3,
        "tokens": ["y", "SEQUENCE_END"],
        "token_log_probs": [-0.1, -0.2],
    }
    assert json.loads(score_line(score)) == expected
