"""A development set: the pairs for teacher forcing, and each source with all its references."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from seq2seq_jax.data.corpus import Corpus
from seq2seq_jax.data.readers.input_pipeline import TextPair
from seq2seq_jax.data.tokenizers import Tokenizers


@dataclasses.dataclass(frozen=True, eq=False)
class DevSet:
    """N pairs of M different sources.

    Attributes:
      corpus: all N pairs as ids, for log perplexity.
      rows: [M], the row of each source in the corpus: to decode it once.
      sources: M texts, in the order of their first appearance.
      references: for each source its different targets, uncut and as people read them: a word with
        several pronunciations has several.
    """

    corpus: Corpus
    rows: np.ndarray
    sources: list[str]
    references: list[list[str]]

    def __len__(self) -> int:
        return len(self.sources)


def make_dev_set(corpus: Corpus, pairs: Iterable[TextPair], tokenizers: Tokenizers) -> DevSet:
    """Finds the sources that occur more than once. Sources are the same if their tokens are.

    Args:
      corpus: made of these pairs; those that it has dropped are left out here too.
    """
    indices: dict[tuple[str, ...], int] = {}
    rows: list[int] = []
    sources: list[str] = []
    references: list[dict[tuple[str, ...], str]] = []
    row = 0
    for source_text, target_text in pairs:
        source = tuple(tokenizers.source.split(source_text))
        target = tuple(tokenizers.target.split(target_text))
        if not source or not target:
            continue
        index = indices.setdefault(source, len(rows))
        if index == len(rows):
            rows.append(row)
            sources.append(source_text)
            references.append({})
        references[index].setdefault(target, target_text)
        row += 1
    return DevSet(corpus, np.array(rows), sources, [list(each.values()) for each in references])
