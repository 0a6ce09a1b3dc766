"""A corpus as ids: prepared text seen through a vocabulary, no strings."""

import dataclasses
import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated

import numpy as np

from seq2seq_jax.data.ragged import Ragged, Rows
from seq2seq_jax.data.tokenized_cache import PreparedSide, PreparedText
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.schema.keys import at_least
from seq2seq_jax.utils.errors import UserError


@dataclasses.dataclass(frozen=True)
class SourceConfig:
    """How source texts become rows of ids."""

    max_seq_len: Annotated[
        int, at_least(1), "Sources are truncated to this length, the end token included."
    ] = 50
    reverse: Annotated[bool, "Reverse the source within its own length before encoding."] = True
    lowercase: Annotated[bool, "Lower-case the source, in training and at inference."] = False


@dataclasses.dataclass(frozen=True)
class TargetConfig:
    """How target texts become rows of ids."""

    max_seq_len: Annotated[
        int, at_least(2), "Targets are truncated to this length, start and end tokens included."
    ] = 50


@dataclasses.dataclass(frozen=True)
class CorpusCounts:
    """What became of the pairs that were read."""

    read: int
    dropped: dict[str, int]  # by reason
    source_cut: int  # kept, but longer than max_seq_len
    target_cut: int
    source_unknown: float  # share of UNK among all words, 0 to 1
    target_unknown: float

    @property
    def kept(self) -> int:
        return self.read - sum(self.dropped.values())


@dataclasses.dataclass(frozen=True, eq=False)
class Sentences:
    """N rows: START (in targets alone), the ids of the words, END; cut to `max_len` ids.

    Attributes:
      words: N rows of numbers of tokens.
      ids: [number of distinct tokens], int32: the id of each token.
      start_id: None in sources.
    """

    words: Ragged
    ids: np.ndarray
    start_id: int | None
    end_id: int
    max_len: int

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def lengths(self) -> np.ndarray:
        """[N], int32."""
        return np.minimum(self.uncut_lengths, self.max_len).astype(np.int32)

    @property
    def uncut_lengths(self) -> np.ndarray:
        """[N], int64."""
        return self.words.lengths + 1 + self._words_begin

    def padded(
        self, rows: np.ndarray, width: int, num_rows: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Copies rows into a matrix; arguments and results as of `Ragged.padded`."""
        count = len(rows) if num_rows is None else num_rows
        ids, lengths = np.zeros((count, width), np.int32), np.zeros(count, np.int32)
        starts, ends = self.words.offsets[rows], self.words.offsets[rows + 1]
        lengths[: len(rows)] = np.minimum(ends - starts + 1 + self._words_begin, self.max_len)
        columns = np.arange(width)
        positions = starts[:, None] + columns - self._words_begin
        is_word = (columns >= self._words_begin) & (positions < ends[:, None])
        tokens = self.ids.take(self.words.ids.take(positions, mode="clip"))
        tokens = np.where(is_word, tokens, self.end_id)
        if self.start_id is not None:
            tokens[:, 0] = self.start_id
        np.copyto(ids[: len(rows)], tokens, where=columns < lengths[: len(rows), None])
        return ids, lengths

    @property
    def _words_begin(self) -> int:
        return 0 if self.start_id is None else 1


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """N pairs. A source row is words, END; a target row is START, words, END.

    Attributes:
      digest: names the content, ids included.
    """

    source: Rows
    target: Rows
    counts: CorpusCounts
    digest: str

    def __len__(self) -> int:
        return len(self.source)


def make_corpus(
    text: PreparedText,
    source_vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    *,
    source_max_len: int,
    target_max_len: int,
    key: str = "input_pipeline_train.params",
) -> Corpus:
    """Sees prepared text through vocabularies; nothing is copied.

    Args:
      source_max_len, target_max_len: longest rows, special tokens included; what is longer is
        cut behind and so loses its END.
      key: where the data stand in the configuration, for the error message.

    Raises:
      UserError: no pair is left.
    """
    if not len(text):
        reasons = ", ".join(f"{count} {reason}" for reason, count in text.dropped.items())
        raise UserError(key, f"no pair is left of the {text.read} that were read ({reasons})")
    source = Sentences(
        text.source.words,
        _ids_of_tokens(text.source, source_vocabulary),
        None,
        source_vocabulary.sequence_end_id,
        source_max_len,
    )
    target = Sentences(
        text.target.words,
        _ids_of_tokens(text.target, target_vocabulary),
        target_vocabulary.sequence_start_id,
        target_vocabulary.sequence_end_id,
        target_max_len,
    )
    counts = CorpusCounts(
        read=text.read,
        dropped=text.dropped,
        source_cut=int(np.count_nonzero(source.uncut_lengths > source_max_len)),
        target_cut=int(np.count_nonzero(target.uncut_lengths > target_max_len)),
        source_unknown=_unknown_share(text.source, source.ids, source_vocabulary),
        target_unknown=_unknown_share(text.target, target.ids, target_vocabulary),
    )
    return Corpus(source, target, counts, _digest(text.digest, source, target))


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


def id_counts(side: PreparedSide, vocabulary: Vocabulary) -> np.ndarray:
    """[size of the vocabulary]: how often each id occurs, END once a row; where no row is cut."""
    ids = _ids_of_tokens(side, vocabulary)
    counts = np.bincount(ids, weights=side.counts, minlength=vocabulary.size)
    counts[vocabulary.sequence_end_id] += len(side.words)
    return counts


def _ids_of_tokens(side: PreparedSide, vocabulary: Vocabulary) -> np.ndarray:
    ids = (vocabulary.encode([token])[0] for token in side.tokens())
    return np.fromiter(ids, np.int32, len(side.counts))


def _unknown_share(side: PreparedSide, ids: np.ndarray, vocabulary: Vocabulary) -> float:
    return float(side.counts[ids == vocabulary.unk_id].sum() / side.counts.sum())


def _digest(text: str, *sides: Sentences) -> str:
    digest = hashlib.sha256(text.encode())
    for side in sides:
        digest.update(side.ids.tobytes())
        digest.update(repr((side.start_id, side.end_id, side.max_len)).encode())
    return digest.hexdigest()[:16]
