"""Development sets: pairs for teacher forcing, and each source with all its references."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from seq2seq_jax.data.corpus import Corpus
from seq2seq_jax.data.features import FeaturesTokenizer
from seq2seq_jax.data.readers.input_pipeline import Example, to_example
from seq2seq_jax.data.tokenizers import Tokenizers


@dataclasses.dataclass(frozen=True, eq=False)
class DevSet:
    """N pairs with M distinct sources.

    Attributes:
      corpus: All N pairs as ids, for log perplexity.
      source_of: [N], the index of each pair's source.
      rows: [M], a row of each source in the corpus, so that it is decoded once.
      sources: M texts, in the order of their first appearance.
      references: The distinct targets of each source, as texts that are not truncated. A word with
        several pronunciations has several.
      features: The features of each source, as text; empty: the pairs have none.
    """

    corpus: Corpus
    source_of: np.ndarray
    rows: np.ndarray
    sources: list[str]
    references: list[list[str]]
    features: list[str] = dataclasses.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.sources)


def make_dev_set(corpus: Corpus, pairs: Iterable[Example], tokenizers: Tokenizers) -> DevSet:
    """Group the pairs by source. Sources are equal if their tokens and features are equal.

    Args:
      corpus: The corpus of these pairs.
      pairs: The texts; pairs that the corpus dropped are left out here as well.
      tokenizers: The tokenizers of the corpus.

    Returns:
      The development set.
    """
    parse = (tokenizers.features or FeaturesTokenizer()).split
    indices: dict[tuple[tuple[str, ...], tuple[str, ...]], int] = {}
    rows: list[int] = []
    source_of: list[int] = []
    sources: list[str] = []
    features: list[str] = []
    references: list[dict[tuple[str, ...], str]] = []
    row = 0
    for source_text, target_text, feature_text, *_ in map(to_example, pairs):
        source = tuple(tokenizers.source.split(source_text))
        target = tuple(tokenizers.target.split(target_text))
        if not source or not target:
            continue
        index = indices.setdefault((source, tuple(parse(feature_text))), len(rows))
        if index == len(rows):
            rows.append(row)
            sources.append(source_text)
            features.append(feature_text)
            references.append({})
        references[index].setdefault(target, target_text)
        source_of.append(index)
        row += 1
    texts = [list(each.values()) for each in references]
    return DevSet(
        corpus,
        np.array(source_of),
        np.array(rows),
        sources,
        texts,
        features if any(features) else [],
    )
