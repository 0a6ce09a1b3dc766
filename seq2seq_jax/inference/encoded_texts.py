"""Texts as the model reads them, with warnings about what it cannot read."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from seq2seq_jax.data.batches import Batch
from seq2seq_jax.data.coverage import MAX_OOV_RATE, oov_warning
from seq2seq_jax.data.languages import TaggedTokenizer, check_tag, tag_sources
from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.data.report import format_unknown
from seq2seq_jax.data.sampler import padded_length
from seq2seq_jax.data.tokenizers import Tokenizers
from seq2seq_jax.data.vocabulary import SEQUENCE_END
from seq2seq_jax.inference.text_lists import to_optional_texts
from seq2seq_jax.storage.workdir import Vocabularies
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)


class EncodedSources(NamedTuple):
    """Encoded sources.

    Attributes:
      ids: Their token ids, with that of SEQUENCE_END.
      tokens: Their tokens, with SEQUENCE_END.
      non_empty: The indices of the sources that have a token.
      features: The ids of their features; None: the model reads none.
      feature_names: Their features, as the model reads them.
    """

    ids: Ragged
    tokens: list[list[str]]
    non_empty: np.ndarray
    features: Ragged | None
    feature_names: list[list[str]]

    def arrays(self, indices: np.ndarray, width: int, num_rows: int) -> Batch:
        """Return the sources of a batch, with their features, padded.

        Args:
          indices: [R], the sources in the first rows of the batch.
          width: Number of source tokens.
          num_rows: Number of rows of the batch, at least R.
        """
        ids, lengths = self.ids.padded(indices, width, num_rows)
        return {"source_ids": ids, "source_len": lengths, **self.feature_arrays(indices, num_rows)}

    def feature_arrays(self, indices: np.ndarray, num_rows: int) -> Batch:
        """Return the features of a batch; nothing if the model reads none.

        Args:
          indices: [R], the sources in the first rows of the batch.
          num_rows: Number of rows of the batch, at least R.
        """
        if self.features is None:
            return {}
        width = padded_length(max(1, int(self.features.lengths[indices].max(initial=0))))
        ids, lengths = self.features.padded(indices, width, num_rows)
        return {"features_ids": ids, "features_len": lengths}


class TextEncoder:
    """Encodes texts, and warns once for each side if most tokens are out of vocabulary."""

    def __init__(
        self,
        tokenizers: Tokenizers,
        vocabularies: Vocabularies,
        max_source_len: int,
        max_features: int = 0,
    ) -> None:
        """Initialize an encoder.

        Args:
          tokenizers: How texts are split into tokens.
          vocabularies: How tokens are numbered.
          max_source_len: The largest number of tokens of a source, with SEQUENCE_END.
          max_features: The largest number of features of a source.
        """
        self._tokenizers, self._vocabularies = tokenizers, vocabularies
        self._max_source_len, self._max_features = max_source_len, max_features
        self._warned: set[str] = set()
        self._unknown_features: set[str] = set()

    def sources(
        self, texts: Sequence[str], features: Sequence[str] | None = None
    ) -> EncodedSources:
        """Encode sources; those that are too long are truncated, with a warning.

        Args:
          texts: The sources.
          features: Their features; None: the model reads none.
        """
        split, max_len = list(map(self._tokenizers.source.split, texts)), self._max_source_len
        truncated = sum(len(tokens) + 1 > max_len for tokens in split)
        if truncated:
            _log.warning(
                "%d of %d sources truncated to source.max_seq_len=%d tokens, including the end"
                " token",
                truncated, len(split), max_len,
            )  # fmt: skip
        vocabulary = self._vocabularies.source
        ids = Ragged.from_rows(vocabulary.encode_source(tokens, max_len) for tokens in split)
        self._warn_of_oov("source", ids, texts)
        names = [] if features is None else self._split_features(features)
        return EncodedSources(
            ids,
            [[*tokens, SEQUENCE_END][:max_len] for tokens in split],
            np.flatnonzero([bool(tokens) for tokens in split]),
            None if features is None else self._encode_features(names),
            names,
        )

    def with_tags(
        self, texts: Sequence[str], languages: str | Iterable[str | None] | None
    ) -> list[str]:
        """Return the sources of a multilingual model with the tags of their languages.

        Args:
          texts: The sources.
          languages: The language of all of them, or of each; None: they have tags.

        Raises:
          TypeError: An item of a list of languages is no text.
          ValueError: There are not as many languages as texts.
          UserError: The model does not know the language of a text, or is not multilingual.
        """
        if not isinstance(self._tokenizers.source, TaggedTokenizer):
            if languages is not None:
                what = "are given, but this model was trained without languages; leave them out"
                raise UserError("languages", what)
            return list(texts)
        if not isinstance(languages, str | None):
            languages = to_optional_texts("languages", languages)
        tagged = tag_sources(texts, languages)
        for number, text in enumerate(tagged, start=1):
            check_tag(text, self._vocabularies.source, f"source text {number}")
        return tagged

    def targets(self, texts: Sequence[str]) -> Ragged:
        """Encode targets completely, with SEQUENCE_START and SEQUENCE_END.

        Args:
          texts: The targets.
        """
        vocabulary = self._vocabularies.target
        split = map(self._tokenizers.target.split, texts)
        ids = Ragged.from_rows(
            vocabulary.encode_target(tokens, len(tokens) + 2) for tokens in split
        )
        self._warn_of_oov("target", ids, texts)
        return ids

    def _split_features(self, texts: Sequence[str]) -> list[list[str]]:
        """Split features, and warn of what is odd about them."""
        tokenizer, max_len = self._tokenizers.features, self._max_features
        assert tokenizer is not None
        bundles = [tokenizer.parse(text) for text in texts]
        odd = {
            "have no features": [not bundle.symbols for bundle in bundles],
            "repeat a feature": [bundle.repeated > 0 for bundle in bundles],
            "have features with unbalanced brackets": [bundle.unbalanced for bundle in bundles],
            f"have features truncated to features.max_seq_len={max_len}": [
                len(bundle.symbols) > max_len for bundle in bundles
            ],
        }
        for what, flags in odd.items():
            if any(flags):
                _log.warning("%d of %d sources %s", sum(flags), len(flags), what)
        return [list(bundle.symbols[:max_len]) for bundle in bundles]

    def _encode_features(self, names: Sequence[Sequence[str]]) -> Ragged:
        """Number features; each unknown one is reported once."""
        vocabulary = self._vocabularies.features
        assert vocabulary is not None
        ids = Ragged.from_rows(map(vocabulary.encode, names))
        flat = [name for row in names for name in row]
        unknown = Counter(np.array(flat)[ids.ids == vocabulary.unk_id].tolist() if flat else ())
        new = {name: n for name, n in unknown.items() if name not in self._unknown_features}
        if new:
            self._unknown_features |= new.keys()
            what = "features that are not in the vocabulary count as UNK: %s"
            _log.warning(what, format_unknown(new))
        return ids

    def _warn_of_oov(
        self, side: Literal["source", "target"], ids: Ragged, texts: Sequence[str]
    ) -> None:
        vocabulary = getattr(self._vocabularies, side)
        tokens = ids.ids[ids.ids <= vocabulary.unk_id]
        rate = float(np.mean(tokens == vocabulary.unk_id)) if len(tokens) else 0.0
        if side in self._warned or rate <= MAX_OOV_RATE:
            return
        self._warned.add(side)
        other = getattr(self._vocabularies, "target" if side == "source" else "source")
        tokenizer = getattr(self._tokenizers, side)
        where = f"{side} tokens of the input"
        _log.warning("%s", oov_warning(where, rate, texts, tokenizer, vocabulary, other))


def seed_texts(sources: Sequence[str], features: Sequence[str] | None) -> Sequence[str]:
    """Return the texts from which the seeds of sampling are made: equal inputs, equal samples.

    Args:
      sources: The sources.
      features: Their features; none, if the model reads none.
    """
    if not features:
        return sources
    return [f"{source}\t{text}" for source, text in zip(sources, features, strict=True)]
