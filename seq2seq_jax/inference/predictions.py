"""Predictions and scores: what a loaded model returns for a text."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from seq2seq_jax.data.tokenizers import Tokenizer
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.search.types import SearchResult


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One output for a source.

    Attributes:
      text: The output as people read it.
      tokens: Its tokens, without special tokens other than UNK.
      log_prob: Natural logarithm of its probability, including SEQUENCE_END if it is finished.
      score: What the search ranked it by: log_prob / length penalty + coverage penalty.
      attention: [T, S] f32, the attention weights with which each token was chosen and, in a last
        row, SEQUENCE_END if it was reached; a column for each of `Prediction.attended_tokens`: the
        tokens of the source, including SEQUENCE_END, and features. None unless it was requested.
      finished: Whether SEQUENCE_END was reached; otherwise `inference.max_decode_length` ended it.
    """

    text: str
    tokens: list[str]
    log_prob: float
    score: float
    attention: np.ndarray | None = None
    finished: bool = True

    @property
    def length(self) -> int:
        """The number of tokens, not counting SEQUENCE_END."""
        return len(self.tokens)


class BeamTrace(NamedTuple):
    """How the beam search of one source proceeded in T steps.

    Attributes:
      tokens: [T, K] i32, the token chosen at each step.
      backpointers: [T, K] i32, the beam index, before the step, of the hypothesis that is extended.
      log_probs: [T, K] f32, log-probability of the hypothesis so far; -inf if there is none.
      scores: [T, K] f32, what the hypothesis was ranked by.
      beam_indices: [K] i32, the beam index after the last step of each hypothesis, best first.
    """

    tokens: np.ndarray
    backpointers: np.ndarray
    log_probs: np.ndarray
    scores: np.ndarray
    beam_indices: np.ndarray


@dataclass(frozen=True, eq=False)
class Prediction:
    """All outputs for one source. Its properties are those of the best output.

    Attributes:
      source: The text.
      source_tokens: What the model saw of it: truncated, and including SEQUENCE_END.
      n_best: Hypotheses with different texts, best first: `inference.n_best` of them, or fewer if
        the beam holds no more; none for an empty source. Samples may have equal texts.
      beam_trace: None unless it was requested, and for an empty source.
      origin: What answered, "lexicon" or "model"; None without `inference.lexicon`.
      features: The features of the source; None: the model reads none.
      feature_tokens: What the model read of the features: symbols in a fixed order.
      attends_features: Whether attention weights have columns of features, after those of the
        source.
    """

    source: str
    source_tokens: list[str]
    n_best: list[Hypothesis]
    beam_trace: BeamTrace | None = None
    origin: str | None = None
    features: str | None = None
    feature_tokens: Sequence[str] = ()
    attends_features: bool = False

    @property
    def attended_tokens(self) -> list[str]:
        """The names of the columns of attention: source tokens, and features as in `[PST]`."""
        names = self.feature_tokens if self.attends_features else ()
        return [*self.source_tokens, *(f"[{name}]" for name in names)]

    @property
    def best(self) -> Hypothesis:
        """The best hypothesis; if there is none, an empty text of probability one."""
        return self.n_best[0] if self.n_best else _EMPTY

    @property
    def text(self) -> str:
        """The text of the best hypothesis."""
        return self.best.text

    @property
    def tokens(self) -> list[str]:
        """The tokens of the best hypothesis."""
        return self.best.tokens

    @property
    def log_prob(self) -> float:
        """The log-probability of the best hypothesis."""
        return self.best.log_prob

    @property
    def score(self) -> float:
        """The score of the best hypothesis."""
        return self.best.score

    @property
    def length(self) -> int:
        """The number of tokens of the best hypothesis."""
        return self.best.length

    @property
    def finished(self) -> bool:
        """Whether the best hypothesis reached SEQUENCE_END."""
        return self.best.finished

    @property
    def attention(self) -> np.ndarray | None:
        """The attention weights of the best hypothesis."""
        return self.best.attention


@dataclass(frozen=True, eq=False)
class TargetScore:
    """The probability that a model assigns to one target, given its source.

    Attributes:
      source: The source text.
      target: The target text.
      source_tokens: What the model saw of the source: truncated, and including SEQUENCE_END.
      tokens: The tokens of the target in the vocabulary (OOV tokens are UNK), including
        SEQUENCE_END.
      token_log_probs: [T] f32, natural logarithm of each token's probability given those before it.
      attention: [T, S] f32, the attention weights with which each token was predicted, a column for
        each token of the source and each attended feature. None unless it was requested.
      features: The features of the source; None: the model reads none.
    """

    source: str
    target: str
    source_tokens: list[str]
    tokens: list[str]
    token_log_probs: np.ndarray
    attention: np.ndarray | None = None
    features: str | None = None

    @property
    def log_prob(self) -> float:
        """The log-probability of the whole target."""
        return float(np.sum(self.token_log_probs, dtype=np.float64))


def to_prediction(
    empty: Prediction,
    result: SearchResult,
    row: int,
    vocabulary: Vocabulary,
    tokenizer: Tokenizer,
) -> Prediction:
    """Convert one row of a search result to a prediction.

    Args:
      empty: The prediction without hypotheses.
      result: The result, on the host.
      row: The row.
      vocabulary: The target vocabulary.
      tokenizer: The target tokenizer.

    Returns:
      The prediction.
    """
    n_best = to_hypotheses(result, row, vocabulary, tokenizer, len(empty.attended_tokens))
    return replace(empty, n_best=n_best, beam_trace=_to_beam_trace(result, row))


def to_hypotheses(
    result: SearchResult,
    row: int,
    vocabulary: Vocabulary,
    tokenizer: Tokenizer,
    source_length: int,
) -> list[Hypothesis]:
    """Convert one row of a search result to texts.

    Args:
      result: The result, on the host.
      row: The row.
      vocabulary: The target vocabulary.
      tokenizer: The target tokenizer.
      source_length: Number of source positions that are not padding; attention to others is left
        out.

    Returns:
      The hypotheses, best first.
    """
    hypotheses = []
    log_probs, scores = result.log_probs[row].tolist(), result.scores[row].tolist()
    lengths, finished = result.lengths[row].tolist(), result.finished[row].tolist()
    for index, log_prob in enumerate(log_probs):
        if log_prob == -math.inf:  # There are no more hypotheses.
            break
        length, weights = lengths[index], None
        tokens = vocabulary.decode(result.ids[row, index, :length].tolist())
        if result.attention is not None:
            steps = length + finished[index]
            weights = np.array(result.attention[row, index, :steps, :source_length])
        text = tokenizer.join(tokens)
        hypotheses.append(
            Hypothesis(text, tokens, log_prob, scores[index], weights, finished[index])
        )
    return hypotheses


def merge_equal_texts(hypotheses: Iterable[Hypothesis]) -> list[Hypothesis]:
    """Keep the best hypothesis of each text: several segmentations may have the same text.

    Args:
      hypotheses: Best first.

    Returns:
      The hypotheses without those whose text is that of a better one.
    """
    best: dict[str, Hypothesis] = {}
    for hypothesis in hypotheses:
        best.setdefault(hypothesis.text, hypothesis)
    return list(best.values())


def _to_beam_trace(result: SearchResult, row: int) -> BeamTrace | None:
    """Return the trace of one row up to its last step; None if the result has none."""
    trace = result.beam_trace
    if trace is None:
        return None
    steps = slice(int(trace.steps[row]))
    return BeamTrace(
        tokens=np.array(trace.tokens[steps, row]),
        backpointers=np.array(trace.backpointers[steps, row]),
        log_probs=np.array(trace.log_probs[steps, row]),
        scores=np.array(trace.scores[steps, row]),
        beam_indices=np.array(trace.beam_indices[row]),
    )


_EMPTY = Hypothesis("", [], 0.0, 0.0)
