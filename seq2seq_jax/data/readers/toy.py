"""Toy corpora: copy a sequence, or reverse it.

Task, tokens, lengths and sizes are those of the toy data of google/seq2seq: sequences of 5 to 20
tokens drawn uniformly from 20, with 10,000 training pairs and 1,000 development pairs. One token is
not ASCII, so that errors in the handling of Unicode become visible.
"""

from collections.abc import Iterator

TASKS = ("copy", "reverse")
VOCAB_SIZE = 20
MIN_LENGTH, MAX_LENGTH = 5, 20
SIZES = {"train": 10_000, "dev": 1_000, "test": 1_000}
SEED = 2017


def toy_copy(split: str) -> Iterator[tuple[str, str]]:
    """Yield the pairs of the copying task, which are always the same.

    Args:
      split: "train", "dev" or "test".

    Yields:
      A text, and the same text.
    """
    return toy_pairs("copy", split, SIZES[split])


def toy_reverse(split: str) -> Iterator[tuple[str, str]]:
    """Yield the pairs of the reversing task; its sources are those of `toy_copy`.

    Args:
      split: "train", "dev" or "test".

    Yields:
      A text, and its tokens in reverse order.
    """
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
    """Yield pairs of texts, the same for the same arguments.

    Args:
      task: "copy" or "reverse".
      split: "train", "dev" or "test"; their pairs differ.
      size: The number of pairs.
      vocab_size: The number of distinct tokens.
      min_length: Smallest number of tokens in a text.
      max_length: Largest number of tokens in a text.
      seed: Seed of all splits.

    Yields:
      A source and its target.

    Example:
      >>> list(toy_pairs("reverse", "train", 1, max_length=5))
      [('8 18 1 10 7', '7 10 1 18 8')]
    """
    tokens = toy_tokens(vocab_size)
    for numbers in _sequences(split, size, vocab_size, min_length, max_length, seed):
        source = [tokens[number] for number in numbers]
        target = source if task == "copy" else source[::-1]
        yield " ".join(source), " ".join(target)


def toy_tokens(vocab_size: int = VOCAB_SIZE) -> tuple[str, ...]:
    """Return the tokens of the toy corpora.

    Args:
      vocab_size: Their number.

    Returns:
      Numbers from 0, and a Chinese character.

    Example:
      >>> toy_tokens(3)
      ('0', '1', '笑')
    """
    return (*(str(i) for i in range(vocab_size - 1)), "笑")


def _sequences(
    split: str, size: int, vocab_size: int, min_length: int, max_length: int, seed: int
) -> Iterator[list[int]]:
    import numpy as np  # slow; the command line only needs the constants above

    random = np.random.default_rng([seed, list(SIZES).index(split)])
    for begin in range(0, size, _CHUNK):
        count = min(_CHUNK, size - begin)
        lengths = random.integers(min_length, max_length, size=count, endpoint=True)
        flat = random.integers(vocab_size, size=int(lengths.sum())).tolist()
        end = 0
        for length in lengths.tolist():
            start, end = end, end + length
            yield flat[start:end]


_CHUNK = 10_000  # sequences that are drawn together
