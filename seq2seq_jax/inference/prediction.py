"""What a loaded model answers."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["Hypothesis", "Prediction", "SearchHistory", "TargetScore"]


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One output for a source.

    Attributes:
      text: as people read it.
      tokens: of the target's vocabulary, without special tokens but for UNK.
      log_prob: natural logarithm of its probability, SEQUENCE_END's included.
      score: what the search ranked it by: log_prob / length penalty + coverage penalty.
      attention: [T, S] f32, the weights that each token was chosen with, and, in a last row,
        SEQUENCE_END if it was reached; a column a token of the source, SEQUENCE_END's included.
        None where it was not asked for.
    """

    text: str
    tokens: list[str]
    log_prob: float
    score: float
    attention: np.ndarray | None = None

    @property
    def length(self) -> int:
        """Tokens, SEQUENCE_END not counted."""
        return len(self.tokens)


class SearchHistory(NamedTuple):
    """How the beam search of one sentence came about, in its T steps; see `search.BeamHistory`.

    Attributes:
      words, parents: [T, K] i32.
      log_probs, scores: [T, K] f32.
      slots: [K] i32, the last step's slot of each hypothesis, best first.
    """

    words: np.ndarray
    parents: np.ndarray
    log_probs: np.ndarray
    scores: np.ndarray
    slots: np.ndarray


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model makes of one source. Its best hypothesis is at hand as if it were the only one.

    Attributes:
      source: the text.
      source_tokens: what the model saw of it, SEQUENCE_END included.
      n_best: hypotheses, the best first, as many as `inference.n_best` says, or fewer where there
        are no more; none for an empty source.
      history: None where it was not asked for, or the source is empty.
    """

    source: str
    source_tokens: list[str]
    n_best: list[Hypothesis]
    history: SearchHistory | None = None

    @property
    def best(self) -> Hypothesis:
        """The first of `n_best`; without any, an empty text of probability one."""
        return self.n_best[0] if self.n_best else _NOTHING

    @property
    def text(self) -> str:
        return self.best.text

    @property
    def tokens(self) -> list[str]:
        return self.best.tokens

    @property
    def log_prob(self) -> float:
        return self.best.log_prob

    @property
    def score(self) -> float:
        return self.best.score

    @property
    def length(self) -> int:
        return self.best.length

    @property
    def attention(self) -> np.ndarray | None:
        return self.best.attention


@dataclass(frozen=True, eq=False)
class TargetScore:
    """How likely a model thinks one target is, given its source.

    Attributes:
      source, target: the texts.
      source_tokens: what the model saw of the source, SEQUENCE_END included.
      tokens: of the target as the model knows them, SEQUENCE_END included.
      token_log_probs: [T] f32, natural logarithm of each token's probability after those before it.
      attention: [T, S] f32, the weights that each token was predicted with, a column a token of the
        source; None where it was not asked for.
    """

    source: str
    target: str
    source_tokens: list[str]
    tokens: list[str]
    token_log_probs: np.ndarray
    attention: np.ndarray | None = None

    @property
    def log_prob(self) -> float:
        """Of the whole target."""
        return float(np.sum(self.token_log_probs, dtype=np.float64))


_NOTHING = Hypothesis("", [], 0.0, 0.0)
