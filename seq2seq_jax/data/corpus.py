"""A corpus as ids: all pairs of a data set in four arrays, no text."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from seq2seq_jax.data.ragged import Ragged, RaggedBuilder
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class CorpusCounts:
    """What became of the pairs that were read."""

    read: int
    dropped: dict[str, int]  # by reason
    source_cut: int  # kept, but longer than max_seq_len
    target_cut: int
    source_unknown: float  # share of UNK among the words kept, 0 to 1
    target_unknown: float

    @property
    def kept(self) -> int:
        return self.read - sum(self.dropped.values())


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """N pairs. A source row is words, END; a target row is START, words, END."""

    source: Ragged
    target: Ragged
    counts: CorpusCounts

    def __len__(self) -> int:
        return len(self.source)


def build_corpus(
    pairs: Iterable[tuple[Sequence[str], Sequence[str]]],
    source_vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    *,
    source_max_len: int,
    target_max_len: int,
    key: str = "input_pipeline_train.params",
) -> Corpus:
    """Encodes pairs one by one. Pairs with an empty side are dropped and counted.

    Args:
      pairs: (source tokens, target tokens), read once.
      source_max_len, target_max_len: longest rows, special tokens included; what is longer is
        cut behind and so loses its END.
      key: where the data stand in the configuration, for the error message.

    Raises:
      UserError: no pair is left.
    """
    sources, targets = RaggedBuilder(), RaggedBuilder()
    read = source_cut = target_cut = 0
    dropped = {"empty source": 0, "empty target": 0}
    for source, target in pairs:
        read += 1
        if not source:
            dropped["empty source"] += 1
            continue
        if not target:
            dropped["empty target"] += 1
            continue
        source_cut += len(source) + 1 > source_max_len
        target_cut += len(target) + 2 > target_max_len
        sources.append(encode_source(source, source_vocabulary, source_max_len))
        targets.append(encode_target(target, target_vocabulary, target_max_len))
    if read == sum(dropped.values()):
        raise UserError(
            key,
            f"no pair is left of the {read} that were read "
            f"({', '.join(f'{count} {reason}' for reason, count in dropped.items())})",
        )
    source_rows, target_rows = sources.build(), targets.build()
    counts = CorpusCounts(
        read=read,
        dropped=dropped,
        source_cut=source_cut,
        target_cut=target_cut,
        source_unknown=_unknown_share(source_rows, source_vocabulary),
        target_unknown=_unknown_share(target_rows, target_vocabulary),
    )
    return Corpus(source_rows, target_rows, counts)


def encode_source(tokens: Sequence[str], vocabulary: Vocabulary, max_len: int) -> list[int]:
    """Ids of a source: words, END; cut to `max_len` ids."""
    ids = vocabulary.encode(tokens[:max_len])
    ids.append(vocabulary.sequence_end_id)
    return ids[:max_len]


def encode_target(tokens: Sequence[str], vocabulary: Vocabulary, max_len: int) -> list[int]:
    """Ids of a target: START, words, END; cut to `max_len` ids."""
    ids = [vocabulary.sequence_start_id, *vocabulary.encode(tokens[:max_len])]
    ids.append(vocabulary.sequence_end_id)
    return ids[:max_len]


def _unknown_share(rows: Ragged, vocabulary: Vocabulary) -> float:
    words = int(np.count_nonzero(rows.ids <= vocabulary.unk_id))
    return int(np.count_nonzero(rows.ids == vocabulary.unk_id)) / max(words, 1)
