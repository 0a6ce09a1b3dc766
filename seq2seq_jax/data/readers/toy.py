"""Toy corpora: copy a sequence, or reverse it.

The same task, tokens, lengths and sizes as google/seq2seq's toy data: 20 words, 5 to 20 of
them drawn uniformly, 10,000 pairs to train on and 1,000 to develop on. One of the words is
not ASCII, so that whoever breaks Unicode notices at once.
"""

from collections.abc import Iterator

TASKS = ("copy", "reverse")
VOCAB_SIZE = 20
MIN_LENGTH, MAX_LENGTH = 5, 20
SIZES = {"train": 10_000, "dev": 1_000, "test": 1_000}
SEED = 2017


def toy_copy(split: str) -> Iterator[tuple[str, str]]:
    """Yields (text, the same text) of the split: "train", "dev" or "test"; always the same."""
    return toy_pairs("copy", split, SIZES[split])


def toy_reverse(split: str) -> Iterator[tuple[str, str]]:
    """Yields (text, its tokens in reverse) of the split; the sources are those of `toy_copy`."""
    return toy_pairs("reverse", split, SIZES[split])


def toy_pairs(
    task: str,
    split: str,
    size: int,
    *,
    vocab_size: int = VOCAB_SIZE,
    min_length: int = MIN_LENGTH,
    max_length: int = MAX_LENGTH,
    seed: int = SEED,
) -> Iterator[tuple[str, str]]:
    """Yields `size` pairs of texts, the same for the same arguments.

    Args:
      task: "copy" or "reverse".
      split: "train", "dev" or "test", which differ from each other.
      min_length, max_length: in tokens, both included.
    """
    tokens = toy_tokens(vocab_size)
    for numbers in _sequences(split, size, vocab_size, min_length, max_length, seed):
        source = [tokens[number] for number in numbers]
        target = source if task == "copy" else source[::-1]
        yield " ".join(source), " ".join(target)


def toy_tokens(vocab_size: int = VOCAB_SIZE) -> tuple[str, ...]:
    return (*(str(i) for i in range(vocab_size - 1)), "笑")


def _sequences(
    split: str, size: int, vocab_size: int, min_length: int, max_length: int, seed: int
) -> Iterator[list[int]]:
    import numpy as np  # slow, and the command line wants no more than the numbers above

    random = np.random.default_rng([seed, list(SIZES).index(split)])
    for begin in range(0, size, _CHUNK):
        count = min(_CHUNK, size - begin)
        lengths = random.integers(min_length, max_length, size=count, endpoint=True)
        flat = random.integers(vocab_size, size=int(lengths.sum())).tolist()
        end = 0
        for length in lengths.tolist():
            start, end = end, end + length
            yield flat[start:end]


_CHUNK = 10_000  # sequences that are drawn at once
