"""The models and sentences that are measured, the same for every toolkit; needs numpy only."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Batch = dict[str, np.ndarray]
"""A batch with the arrays `source_ids`, `source_len`, `target_ids`, `target_len`."""

Pair = tuple[np.ndarray, np.ndarray]
"""Source and target as token numbers from 0, without special tokens."""


class Case(NamedTuple):
    """A model with a bidirectional encoder, attention and input feeding, and its sentences.

    Attributes:
      cell: The class of the cells.
      attention: The class of the attention.
      units: The width of all layers.
      encoder_layers: The number of encoder layers.
      decoder_layers: The number of decoder layers.
      vocab_size: The size of each vocabulary: V - 4 tokens and four special ids.
      shortest: The length of the shortest source; lengths are uniformly distributed.
      longest: The length of the longest source.
      equal_lengths: Whether a target is as long as its source, rather than similar in length.
      batch_size: The number of pairs in a batch.
      batches: The number of batches that are timed one after the other.
    """

    cell: str
    attention: str
    units: int
    encoder_layers: int
    decoder_layers: int
    vocab_size: int
    shortest: int
    longest: int
    equal_lengths: bool
    batch_size: int
    batches: int


CASES = {
    "A": Case("GRUCell", "AttentionLayerDot", 128, 1, 1, 24, 5, 20, True, 32, 8),
    "B": Case("GRUCell", "AttentionLayerBahdanau", 256, 1, 2, 10004, 10, 40, False, 64, 2),
    "C": Case("LSTMCell", "AttentionLayerBahdanau", 512, 2, 4, 16004, 10, 40, False, 64, 1),
    # The model of B; its sentences are those of `real_lengths`.
    "R": Case("GRUCell", "AttentionLayerBahdanau", 256, 1, 2, 10004, 2, 44, False, 64, 16),
}
REAL = "R"
DROPOUT = 0.2
"""Dropout rate of the inputs of all layers."""
LEARNING_RATE = 1e-4
DECODE_LENGTH = 50
"""Length of every decoded sentence: END is excluded, so that every run does the same work."""


class SpecialIds(NamedTuple):
    """The ids of a toolkit: token i has the id `first_word` + i."""

    first_word: int
    start: int
    end: int
    padding: int


def our_ids(case: Case) -> SpecialIds:
    """Return the ids of this package: tokens first, then UNK, START and END; one id is unused.

    Args:
      case: The case.
    """
    return SpecialIds(0, case.vocab_size - 2, case.vocab_size - 1, 0)


def make_pairs(case: Case, count: int, seed: int) -> list[Pair]:
    """Draw pairs; the same seed gives the same pairs.

    Args:
      case: The case.
      count: The number of pairs.
      seed: The seed.
    """
    generator = np.random.default_rng(seed)
    sources = targets = generator.integers(case.shortest, case.longest + 1, count)
    if not case.equal_lengths:
        noise = np.rint(generator.normal(0, 2, count)).astype(int)
        targets = np.clip(sources + noise, case.shortest, case.longest)
    return draw_pairs(generator, sources, targets, case.vocab_size - 4)


def draw_pairs(
    generator: np.random.Generator, sources: np.ndarray, targets: np.ndarray, words: int
) -> list[Pair]:
    """Draw pairs of given lengths from a uniform distribution over the tokens.

    Args:
      generator: The random numbers.
      sources: The lengths of the sources.
      targets: The lengths of the targets.
      words: The number of tokens.
    """
    return [
        (generator.integers(words, size=s), generator.integers(words, size=t))
        for s, t in zip(sources, targets, strict=True)
    ]


def make_batches(case: Case, ids: SpecialIds, seed: int = 1234) -> list[Batch]:
    """Make batches that are not sorted by length, each padded to its longest pair.

    Args:
      case: The case.
      ids: The ids of the toolkit.
      seed: The seed.
    """
    size = case.batch_size
    pairs = make_pairs(case, case.batches * size, seed)
    return [pad(pairs[i : i + size], ids) for i in range(0, len(pairs), size)]


def make_sources(case: Case, batch_size: int, ids: SpecialIds) -> tuple[np.ndarray, np.ndarray]:
    """Make the sources to decode; a single one is the sentence of median length.

    Args:
      case: The case.
      batch_size: The number of sources, B.
      ids: The ids of the toolkit.

    Returns:
      Ids [B, S] and lengths [B].
    """
    batch = pad(make_pairs(case, 32, seed=7), ids)
    rows = slice(15, 16) if batch_size == 1 else slice(batch_size)
    lengths = batch["source_len"][rows]
    return np.ascontiguousarray(batch["source_ids"][rows, : lengths.max()]), lengths


def pad(pairs: Sequence[Pair], ids: SpecialIds) -> Batch:
    """Make a batch. Targets get START and END; long sources come first, as some toolkits require.

    Args:
      pairs: The pairs.
      ids: The ids of the toolkit.
    """
    pairs = sorted(pairs, key=lambda pair: -len(pair[0]))
    source_len = np.array([len(source) for source, _ in pairs], np.int32)
    target_len = np.array([len(target) + 2 for _, target in pairs], np.int32)
    source_ids = np.full((len(pairs), source_len.max()), ids.padding, np.int32)
    target_ids = np.full((len(pairs), target_len.max()), ids.padding, np.int32)
    for row, (source, target) in enumerate(pairs):
        source_ids[row, : len(source)] = source + ids.first_word
        words = target + ids.first_word
        target_ids[row, : len(target) + 2] = [ids.start, *words, ids.end]
    return {
        "source_ids": source_ids,
        "source_len": source_len,
        "target_ids": target_ids,
        "target_len": target_len,
    }


def target_tokens(batches: Sequence[Batch]) -> int:
    """Count the target tokens, including END, without START and padding.

    Args:
      batches: The batches.
    """
    return sum(int(np.maximum(batch["target_len"] - 1, 0).sum()) for batch in batches)


def train_flops(case: Case, batches: Sequence[Batch]) -> float:
    """Count the floating-point operations of a training step's matrix products.

    Padded positions count, because they are computed. A multiplication with its addition is two
    operations; the backward pass costs twice the forward pass.

    Args:
      case: The case.
      batches: The batches.

    Returns:
      The mean over the batches.
    """
    units, gates = case.units, 3 if case.cell == "GRUCell" else 4
    memory = 2 * units  # both directions of the encoder
    source_token = 2 * memory * units  # attention's keys
    for layer in range(case.encoder_layers):
        # Both directions. Counted as if each layer saw both directions of the one below.
        source_token += 2 * 2 * gates * units * ((memory if layer else units) + units)
    target_token = 2 * (memory + units) * units + 2 * units * case.vocab_size  # mix, logits
    for layer in range(case.decoder_layers):
        target_token += 2 * gates * units * ((units if layer else units + memory) + units)
    if case.attention == "AttentionLayerBahdanau":
        target_token += 2 * units * units  # attention's query
    pair = 2 * units + 2 * memory  # score, weighted sum
    total = 0
    for batch in batches:
        rows, source_width = batch["source_ids"].shape
        target_width = batch["target_ids"].shape[1] - 1
        total += rows * source_width * source_token
        total += rows * target_width * (target_token + source_width * pair)
    return 3 * total / len(batches)
