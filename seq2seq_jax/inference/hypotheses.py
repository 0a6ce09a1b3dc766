"""From a search's arrays to texts."""

import math

import numpy as np

from seq2seq_jax.data.tokenizers import Tokenizer
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.inference.prediction import Hypothesis
from seq2seq_jax.search.result import SearchResult

__all__ = ["to_hypotheses"]


def to_hypotheses(
    result: SearchResult, row: int, vocabulary: Vocabulary, tokenizer: Tokenizer, positions: int
) -> list[Hypothesis]:
    """The hypotheses of one row, the best first.

    Args:
      result: on the host.
      vocabulary, tokenizer: of the targets.
      positions: of the source that attention looks at; those behind them are padding.
    """
    hypotheses = []
    log_probs, scores = result.log_probs[row].tolist(), result.scores[row].tolist()
    lengths, finished = result.lengths[row].tolist(), result.finished[row].tolist()
    for slot, log_prob in enumerate(log_probs):
        if log_prob == -math.inf:  # there are no more hypotheses
            break
        length, weights = lengths[slot], None
        tokens = vocabulary.decode(result.ids[row, slot, :length].tolist())
        if result.attention is not None:
            steps = length + finished[slot]
            weights = np.array(result.attention[row, slot, :steps, :positions])
        text = tokenizer.join(tokens)
        hypotheses.append(Hypothesis(text, tokens, log_prob, scores[slot], weights))
    return hypotheses
