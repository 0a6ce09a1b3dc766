"""Predictions and scores as lines of JSON."""

import json
from typing import Any

import numpy as np

from seq2seq_jax.inference.prediction import Hypothesis, Prediction, TargetScore

__all__ = ["prediction_line", "score_line"]


def prediction_line(prediction: Prediction, *, attention: bool = False) -> str:
    """One object: `source`, `text`, `tokens`, `score`, `log_prob`, with `attention` that too, and
    `n_best`, a list of the same without `source`, the best first. Of an empty source there are only
    `source`, `text`, `tokens` and `n_best`, and nothing in them but for the source."""
    if not prediction.n_best:
        return _line({"source": prediction.source, "text": "", "tokens": [], "n_best": []})
    n_best = [_hypothesis(one, attention) for one in prediction.n_best]
    return _line({"source": prediction.source, **n_best[0], "n_best": n_best})


def score_line(score: TargetScore) -> str:
    """One object: `source`, `target`, `log_prob`, `tokens` and `token_log_probs`, which end with
    SEQUENCE_END, and `attention` where the score has it."""
    values = {
        "source": score.source,
        "target": score.target,
        "log_prob": _short(score.log_prob),
        "tokens": score.tokens,
        "token_log_probs": [_short(value) for value in score.token_log_probs.tolist()],
    }
    return _line(values | _attention(score.attention))


def _hypothesis(hypothesis: Hypothesis, attention: bool) -> dict[str, Any]:
    values = {
        "text": hypothesis.text,
        "tokens": hypothesis.tokens,
        "score": _short(hypothesis.score),
        "log_prob": _short(hypothesis.log_prob),
    }
    return values | _attention(hypothesis.attention if attention else None)


def _attention(weights: np.ndarray | None) -> dict[str, Any]:
    return {} if weights is None else {"attention": np.round(weights.astype(float), 6).tolist()}


def _short(value: float) -> float:
    """Without digits that a float32 does not have."""
    return float(str(np.float32(value)))


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, allow_nan=False)
