"""A small random model whose next word depends on all words before it, in JAX and in numpy."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from seq2seq_jax.search.search_config import SearchConfig
from seq2seq_jax.search.types import DecodeContext

HIDDEN = 4


class RandomModel(NamedTuple):
    """Weights of a recurrent language model; the sentences differ in where they begin."""

    start: np.ndarray  # [B, H]
    words: np.ndarray  # [V, H]
    recurrent: np.ndarray  # [H, H]
    output: np.ndarray  # [H, V]
    bias: np.ndarray  # [V]


def random_model(seed, *, vocabulary_size=5, batch_size=4, end_bias=0.5):
    """The last word is SEQUENCE_END, the one before it SEQUENCE_START."""
    generator = np.random.default_rng(seed)

    def normal(*shape):
        return generator.normal(size=shape).astype(np.float32)

    bias = normal(vocabulary_size)
    bias[-1] += end_bias
    return RandomModel(
        start=normal(batch_size, HIDDEN),
        words=1.5 * normal(vocabulary_size, HIDDEN),
        recurrent=normal(HIDDEN, HIDDEN),
        output=1.5 * normal(HIDDEN, vocabulary_size),
        bias=bias,
    )


def step_of(model, xp):
    """The model's step function in jax.numpy or numpy; its "attention" shows the state it saw."""

    def step(tokens, hidden):
        new_hidden = xp.tanh(hidden @ model.recurrent + xp.asarray(model.words)[tokens])
        logits = new_hidden @ model.output + model.bias
        log_probs = logits - xp.log(xp.sum(xp.exp(logits), axis=-1, keepdims=True))
        return log_probs, new_hidden, hidden

    return step


def replay(model, row, ids, start_id):
    """Feeds `ids` to sentence `row`: their log-probability and the attention at each step."""
    step = step_of(model, np)
    hidden, total, attention = model.start[row : row + 1], 0.0, []
    for previous, word in zip([start_id, *ids], ids, strict=False):
        log_probs, hidden, weights = step(np.array([previous]), hidden)
        total += log_probs[0, word]
        attention.append(weights[0])
    return total, np.array(attention)


def all_sentences(model, row, max_length, may_follow=lambda words, word: True, weights=None):
    """Every sentence that sentence `row` may become: {words: (log-probability, finished)}.

    Args:
      may_follow: whether a word may come after words; where none may, the end may.
      weights: log-probabilities [V] -> those by which the total is counted; None: as they are.
    """
    step, end_id = step_of(model, np), len(model.words) - 1
    found = {}

    def extend(words, hidden, total):
        if len(words) == max_length:
            found[words] = (total, False)
            return
        previous = words[-1] if words else end_id - 1
        log_probs, hidden, _ = step(np.array([previous]), hidden)
        counted = log_probs[0] if weights is None else weights(log_probs[0])
        nexts = [word for word in range(end_id + 1) if may_follow(words, word)] or [end_id]
        for word in nexts:
            if word == end_id:
                found[words] = (total + counted[word], True)
            else:
                extend((*words, word), hidden, total + counted[word])

    extend((), model.start[row : row + 1], 0.0)
    return found


def context_of(model, *, constraints=(), seeds=None, source_len=None, **options):
    """The context of a search of a random model with these fields of `SearchConfig`."""
    vocab_size = len(model.words)
    return DecodeContext(
        config=SearchConfig(**options),
        batch_size=len(model.start),
        bos_id=vocab_size - 2,
        eos_id=vocab_size - 1,
        constraints=constraints,
        seeds=seeds,
        source_len=source_len,
    )


@pytest.fixture(scope="session")
def toy():
    """The helpers above; a fixture, because test modules cannot import from a conftest."""
    return SimpleNamespace(
        random_model=random_model,
        step_of=step_of,
        replay=replay,
        all_sentences=all_sentences,
        context_of=context_of,
    )
