"""A development set: the pairs for teacher forcing, and each source with all its references."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from seq2seq_jax.data.corpus import Corpus, build_corpus, encode_source
from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.data.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True, eq=False)
class DevSet:
    """N pairs of M different sources.

    Attributes:
      corpus: all N pairs as ids, for log perplexity.
      sources: M token lists in the order of their first appearance, each once.
      source_ids: the same M sources as ids (END appended, cut), to decode.
      references: for each of the M sources its different targets, uncut: a word with several
        pronunciations has several.
    """

    corpus: Corpus
    sources: list[list[str]]
    source_ids: Ragged
    references: list[list[list[str]]]

    def __len__(self) -> int:
        return len(self.sources)


def build_dev_set(
    pairs: Iterable[tuple[Sequence[str], Sequence[str]]],
    source_vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    *,
    source_max_len: int,
    target_max_len: int,
    key: str = "input_pipeline_dev.params",
) -> DevSet:
    """Builds a dev set in one pass; arguments and errors are those of `build_corpus`.

    Pairs that `build_corpus` drops are in neither part.
    """
    references: dict[tuple[str, ...], dict[tuple[str, ...], None]] = {}

    def remembering() -> Iterator[tuple[Sequence[str], Sequence[str]]]:
        for source, target in pairs:
            if source and target:
                references.setdefault(tuple(source), {})[tuple(target)] = None
            yield source, target

    corpus = build_corpus(
        remembering(),
        source_vocabulary,
        target_vocabulary,
        source_max_len=source_max_len,
        target_max_len=target_max_len,
        key=key,
    )
    return DevSet(
        corpus=corpus,
        sources=[list(source) for source in references],
        source_ids=Ragged.from_rows(
            encode_source(source, source_vocabulary, source_max_len) for source in references
        ),
        references=[[list(target) for target in targets] for targets in references.values()],
    )
