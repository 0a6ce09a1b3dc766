"""Texts as the model reads them, with warnings about what it cannot read."""

import logging
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from seq2seq_jax.data.coverage import MAX_OOV_RATE, oov_warning
from seq2seq_jax.data.languages import TaggedTokenizer, check_tag, tag_sources
from seq2seq_jax.data.ragged import Ragged
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
    """

    ids: Ragged
    tokens: list[list[str]]
    non_empty: np.ndarray


class TextEncoder:
    """Encodes texts, and warns once for each side if most tokens are out of vocabulary."""

    def __init__(
        self, tokenizers: Tokenizers, vocabularies: Vocabularies, max_source_len: int
    ) -> None:
        """Initialize an encoder.

        Args:
          tokenizers: How texts are split into tokens.
          vocabularies: How tokens are numbered.
          max_source_len: The largest number of tokens of a source, with SEQUENCE_END.
        """
        self._tokenizers, self._vocabularies = tokenizers, vocabularies
        self._max_source_len = max_source_len
        self._warned: set[str] = set()

    def sources(self, texts: Sequence[str]) -> EncodedSources:
        """Encode sources; those that are too long are truncated, with a warning.

        Args:
          texts: The sources.
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
        return EncodedSources(
            ids,
            [[*tokens, SEQUENCE_END][:max_len] for tokens in split],
            np.flatnonzero([bool(tokens) for tokens in split]),
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
