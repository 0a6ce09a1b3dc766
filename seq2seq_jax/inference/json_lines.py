"""Predictions and scores as lines of JSON, and predictions as rows of tables."""

import json

import numpy as np

from seq2seq_jax.data.languages import split_tag
from seq2seq_jax.inference.predictions import Hypothesis, Prediction, TargetScore


def prediction_line(prediction: Prediction, *, attention: bool = False) -> str:
    """Format a prediction as a JSON object on one line.

    The object has the keys `source`, `text`, `tokens`, `score`, `log_prob`, `finished` and
    `n_best`, a list of objects with the same keys except `source` and `n_best`, best first. For an
    empty source it has only `source`, `text`, `tokens` and `n_best`, all but the first empty. With
    a lexicon, `origin` follows `source`; so does `features` if the model reads any.

    Args:
      prediction: The prediction.
      attention: Add the key `attention`.

    Returns:
      The line, without a line feed.

    Example:
      >>> prediction_line(Prediction("", [], []))
      '{"source": "", "text": "", "tokens": [], "n_best": []}'
    """
    return _line(prediction_values(prediction, attention=attention))


def prediction_values(prediction: Prediction, *, attention: bool = False) -> dict[str, object]:
    """Return the object of `prediction_line`.

    Args:
      prediction: The prediction.
      attention: Add the key `attention`.
    """
    given = {"source": prediction.source, **_features(prediction.features)}
    if prediction.origin is not None:
        given["origin"] = prediction.origin
    if not prediction.n_best:
        return {**given, "text": "", "tokens": [], "n_best": []}
    n_best = [_hypothesis(one, attention) for one in prediction.n_best]
    return {**given, **n_best[0], "n_best": n_best}


def prediction_row(source: str, output: str, features: str | None = None) -> str:
    """Format a prediction as source, tab, output and, with features, tab, features.

    Args:
      source: The source; the tag of its language is left out.
      output: The best output.
      features: The features; None: there is no third column.

    Returns:
      The row, without a line feed.

    Example:
      >>> prediction_row("walk", "walked", "V;PST").split(chr(9))
      ['walk', 'walked', 'V;PST']
    """
    cells = [split_tag(source)[1], output, *([] if features is None else [features])]
    return "\t".join(cells)


def score_line(score: TargetScore) -> str:
    """Format the score of a target as a JSON object on one line.

    The object has the keys `source`, `features` (if the model reads any), `target`, `log_prob`,
    `tokens` and `token_log_probs` (both including SEQUENCE_END), and `attention` if the score has
    it.

    Args:
      score: The score.

    Returns:
      The line, without a line feed.
    """
    return _line(score_values(score))


def score_values(score: TargetScore) -> dict[str, object]:
    """Return the object of `score_line`.

    Args:
      score: The score.
    """
    values = {
        "source": score.source,
        **_features(score.features),
        "target": score.target,
        "log_prob": _round(score.log_prob),
        "tokens": score.tokens,
        "token_log_probs": [_round(value) for value in score.token_log_probs.tolist()],
    }
    return values | _attention(score.attention)


def _hypothesis(hypothesis: Hypothesis, attention: bool) -> dict[str, object]:
    values = {
        "text": hypothesis.text,
        "tokens": hypothesis.tokens,
        "score": _round(hypothesis.score),
        "log_prob": _round(hypothesis.log_prob),
        "finished": hypothesis.finished,
    }
    return values | _attention(hypothesis.attention if attention else None)


def _attention(weights: np.ndarray | None) -> dict[str, object]:
    return {} if weights is None else {"attention": np.round(weights.astype(float), 6).tolist()}


def _features(features: str | None) -> dict[str, object]:
    return {} if features is None else {"features": features}


def _round(value: float) -> float:
    """Remove the digits that a float32 does not have."""
    return float(str(np.float32(value)))


def _line(values: dict[str, object]) -> str:
    return json.dumps(values, ensure_ascii=False, allow_nan=False)
