"""A corpus as ids: tokenized text seen through a vocabulary, without strings."""

import dataclasses
import hashlib
from functools import cached_property
from typing import Annotated

import numpy as np

from seq2seq_jax.data.features import FeatureCounts
from seq2seq_jax.data.normalization import FORMS
from seq2seq_jax.data.ragged import Ragged, Rows
from seq2seq_jax.data.tokenized_cache import TokenizedSide, TokenizedText
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.schema.rules import LENGTH, MAX_LENGTH, between, one_of
from seq2seq_jax.utils.errors import UserError


@dataclasses.dataclass(frozen=True)
class SourceConfig:
    """How source texts become rows of ids.

    Attributes:
      max_seq_len: Sources are truncated to this length, the end token included.
      reverse: Reverse the source within its own length before encoding.
      lowercase: Lower-case the source, in training and at inference.
      normalization: Unicode normalization form of the source, in training and at inference; empty:
        the text stays as it is, and SentencePiece applies its own NFKC; none: SentencePiece does
        not.
      grapheme_clusters: If the delimiter is empty, a token is a letter with its marks instead of a
        code point.
    """

    max_seq_len: Annotated[int, LENGTH] = 50
    reverse: bool = True
    lowercase: bool = False
    normalization: Annotated[str, one_of(*FORMS)] = ""
    grapheme_clusters: bool = False


@dataclasses.dataclass(frozen=True)
class TargetConfig:
    """How target texts become rows of ids.

    Attributes:
      max_seq_len: Targets are truncated to this length, start and end tokens included.
      lowercase: Lower-case the target, in training, and in evaluation also the references.
      normalization: Unicode normalization form of the target, as source.normalization. Outputs and
        references are composed, in NFC.
      grapheme_clusters: As source.grapheme_clusters, of targets.
    """

    max_seq_len: Annotated[int, between(2, MAX_LENGTH)] = 50
    lowercase: bool = False
    normalization: Annotated[str, one_of(*FORMS)] = ""
    grapheme_clusters: bool = False


@dataclasses.dataclass(frozen=True)
class FeatureSummary:
    """The features of a corpus.

    Attributes:
      mean: The mean number of symbols of a pair.
      truncated: Pairs with more symbols than the model reads.
      counts: What was odd about them.
      unknown: How often each symbol occurs that is not in the vocabulary.
    """

    mean: float
    truncated: int
    counts: FeatureCounts
    unknown: dict[str, int]


@dataclasses.dataclass(frozen=True)
class CorpusCounts:
    """The numbers of pairs that were read, dropped and truncated.

    Attributes:
      read: Pairs that were read.
      dropped: Pairs that were left out, by reason.
      source_truncated: Pairs that were kept, but whose source is longer than max_seq_len.
      target_truncated: Likewise, of targets.
      source_oov_rate: Fraction of the source tokens that are out of vocabulary, 0 to 1.
      target_oov_rate: Likewise, of target tokens.
      features: What the corpus has of features; None: the model reads none.
    """

    read: int
    dropped: dict[str, int]
    source_truncated: int
    target_truncated: int
    source_oov_rate: float
    target_oov_rate: float
    features: FeatureSummary | None = None

    @property
    def kept(self) -> int:
        """The number of pairs that were kept."""
        return self.read - sum(self.dropped.values())


@dataclasses.dataclass(frozen=True, eq=False)
class TokenRows:
    """N rows of ids: START (only in targets), the tokens, END; truncated to `max_len` ids.

    Rows of features have neither START nor END.

    Attributes:
      tokens: N rows of token numbers.
      ids: [number of distinct tokens], int32: the id of each token number.
      start_id: The id of START; None in sources and features.
      end_id: The id of END; None in features.
      max_len: The length to which rows are truncated.
    """

    tokens: Ragged
    ids: np.ndarray
    start_id: int | None
    end_id: int | None
    max_len: int

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def lengths(self) -> np.ndarray:
        """[N] int32, the length of each row."""
        return np.asarray(np.minimum(self.full_lengths, self.max_len), np.int32)

    @property
    def full_lengths(self) -> np.ndarray:
        """[N] int64, the length of each row before it is truncated."""
        return self.tokens.lengths + self._num_special

    def padded(
        self, rows: np.ndarray, width: int, num_rows: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Copy rows into a matrix and pad them with id 0.

        Args:
          rows: [R] indices of rows, none of them longer than `width`.
          width: The number of columns of the matrix.
          num_rows: The number of rows of the matrix; None: R. Rows beyond R have length 0.

        Returns:
          ids [num_rows, width] int32 and lengths [num_rows] int32.
        """
        count = len(rows) if num_rows is None else num_rows
        ids, lengths = np.zeros((count, width), np.int32), np.zeros(count, np.int32)
        starts, ends = self.tokens.offsets[rows], self.tokens.offsets[rows + 1]
        lengths[: len(rows)] = np.minimum(ends - starts + self._num_special, self.max_len)
        columns = np.arange(width)
        positions = starts[:, None] + columns - self._num_start
        is_token = (columns >= self._num_start) & (positions < ends[:, None])
        tokens = self.ids.take(self.tokens.ids.take(positions, mode="clip"))
        tokens = np.where(is_token, tokens, self.end_id or 0)
        if self.start_id is not None:
            tokens[:, 0] = self.start_id
        np.copyto(ids[: len(rows)], tokens, where=columns < lengths[: len(rows), None])
        return ids, lengths

    @property
    def _num_start(self) -> int:
        return 0 if self.start_id is None else 1

    @property
    def _num_special(self) -> int:
        return self._num_start + (0 if self.end_id is None else 1)


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """N pairs. A source row is tokens, END; a target row is START, tokens, END.

    Attributes:
      source: N rows of ids.
      target: N rows of ids.
      counts: The numbers of pairs that were read, dropped and truncated.
      digest: Identifies the content, ids included.
      features: N rows of ids; None: the model reads no features.
    """

    source: Rows
    target: Rows
    counts: CorpusCounts
    digest: str
    features: Rows | None = None

    def __len__(self) -> int:
        return len(self.source)


def make_corpus(
    text: TokenizedText,
    source_vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    features_vocabulary: Vocabulary | None = None,
    *,
    source_max_len: int,
    target_max_len: int,
    features_max_len: int = 0,
    key: str = "input_pipeline_train.params",
) -> Corpus:
    """Map tokenized text to ids. The text stays where it is; nothing is copied.

    Args:
      text: The pairs.
      source_vocabulary: Vocabulary of the sources.
      target_vocabulary: Vocabulary of the targets.
      features_vocabulary: Vocabulary of the features; None: the corpus has none.
      source_max_len: Length to which sources are truncated, END included. A truncated row has no
        END.
      target_max_len: Length to which targets are truncated, START and END included.
      features_max_len: Number of features to which a pair is truncated.
      key: The dotted key of the data, for error messages.

    Returns:
      The corpus.

    Raises:
      UserError: No pair is left.
    """
    if not len(text):
        reasons = ", ".join(f"{count} {reason}" for reason, count in text.dropped.items())
        raise UserError(key, f"no pair is left of the {text.read} that were read ({reasons})")
    source = TokenRows(
        text.source.rows,
        _ids_of_tokens(text.source, source_vocabulary),
        None,
        source_vocabulary.sequence_end_id,
        source_max_len,
    )
    target = TokenRows(
        text.target.rows,
        _ids_of_tokens(text.target, target_vocabulary),
        target_vocabulary.sequence_start_id,
        target_vocabulary.sequence_end_id,
        target_max_len,
    )
    features, summary = _features(text, features_vocabulary, features_max_len)
    counts = CorpusCounts(
        read=text.read,
        dropped=text.dropped,
        source_truncated=int(np.count_nonzero(source.full_lengths > source_max_len)),
        target_truncated=int(np.count_nonzero(target.full_lengths > target_max_len)),
        source_oov_rate=_oov_rate(text.source, source.ids, source_vocabulary),
        target_oov_rate=_oov_rate(text.target, target.ids, target_vocabulary),
        features=summary,
    )
    sides = (source, target) if features is None else (source, target, features)
    return Corpus(source, target, counts, _digest(text.digest, *sides), features)


def count_ids(side: TokenizedSide, vocabulary: Vocabulary) -> np.ndarray:
    """Count how often each id occurs in rows that are not truncated.

    Args:
      side: All sources or all targets.
      vocabulary: Its vocabulary.

    Returns:
      [size of the vocabulary]; END occurs once per row, START never.
    """
    ids = _ids_of_tokens(side, vocabulary)
    counts = np.bincount(ids, weights=side.counts, minlength=vocabulary.size)
    counts[vocabulary.sequence_end_id] += len(side.rows)
    return counts


def _features(
    text: TokenizedText, vocabulary: Vocabulary | None, max_len: int
) -> tuple[TokenRows | None, FeatureSummary | None]:
    """Return the features as rows of ids, and a summary."""
    if vocabulary is None or text.features is None:
        return None, None
    ids = _ids_of_tokens(text.features, vocabulary)
    rows = TokenRows(text.features.rows, ids, None, None, max_len)
    counted = zip(text.features.tokens(), text.features.counts.tolist(), ids, strict=True)
    return rows, FeatureSummary(
        mean=float(np.mean(rows.full_lengths)),
        truncated=int(np.count_nonzero(rows.full_lengths > max_len)),
        counts=text.feature_counts,
        unknown={token: count for token, count, i in counted if i == vocabulary.unk_id},
    )


def _ids_of_tokens(side: TokenizedSide, vocabulary: Vocabulary) -> np.ndarray:
    ids = (vocabulary.encode([token])[0] for token in side.tokens())
    return np.fromiter(ids, np.int32, len(side.counts))


def _oov_rate(side: TokenizedSide, ids: np.ndarray, vocabulary: Vocabulary) -> float:
    return float(side.counts[ids == vocabulary.unk_id].sum() / side.counts.sum())


def _digest(text: str, *sides: TokenRows) -> str:
    digest = hashlib.sha256(text.encode())
    for side in sides:
        digest.update(side.ids.tobytes())
        digest.update(repr((side.start_id, side.end_id, side.max_len)).encode())
    return digest.hexdigest()[:16]
