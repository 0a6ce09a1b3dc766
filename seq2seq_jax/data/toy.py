"""Toy corpora: copy a sequence, or reverse it.

The same task, tokens, lengths and sizes as google/seq2seq's toy data: 20 words, 5 to 20 of
them drawn uniformly, 10,000 pairs to train on and 1,000 to develop on. One of the words is
not ASCII, so that whoever breaks Unicode notices at once.
"""

from collections.abc import Iterator

import numpy as np

TOKENS = (*(str(i) for i in range(19)), "笑")
MIN_LENGTH, MAX_LENGTH = 5, 20
SIZES = {"train": 10_000, "dev": 1_000, "test": 1_000}


def toy_copy(split: str) -> Iterator[tuple[str, str]]:
    """Yields (text, the same text) of the split: "train", "dev" or "test"; always the same."""
    for tokens in _sequences(split):
        text = " ".join(tokens)
        yield text, text


def toy_reverse(split: str) -> Iterator[tuple[str, str]]:
    """Yields (text, its tokens in reverse) of the split; the sources are those of `toy_copy`."""
    for tokens in _sequences(split):
        yield " ".join(tokens), " ".join(reversed(tokens))


def _sequences(split: str) -> Iterator[list[str]]:
    random = np.random.default_rng([2017, list(SIZES).index(split)])
    lengths = random.integers(MIN_LENGTH, MAX_LENGTH, size=SIZES[split], endpoint=True)
    flat = random.integers(len(TOKENS), size=int(lengths.sum())).tolist()
    end = 0
    for length in lengths.tolist():
        start, end = end, end + length
        yield [TOKENS[i] for i in flat[start:end]]
