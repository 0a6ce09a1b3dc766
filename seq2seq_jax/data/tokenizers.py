"""Tokenizers split a text into tokens, and join tokens to a text: words, characters or subwords.

The functions at the end undo subword segmentation in the text of joined tokens (`postproc_fn`).
"""

import dataclasses
import hashlib
import unicodedata
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from seq2seq_jax.data.bpe import CONTINUATION, BPECodes, join_pieces
from seq2seq_jax.data.features import FeaturesTokenizer
from seq2seq_jax.data.normalization import grapheme_clusters, normalize, normalizes, recompose
from seq2seq_jax.data.sentencepiece_model import check_normalization, load_sentencepiece
from seq2seq_jax.data.vocabulary import SPECIAL_TOKENS
from seq2seq_jax.schema.rules import function_name
from seq2seq_jax.utils.errors import UserError

MAX_CACHED_PIECES = 1 << 20
"""The size of the cache of a `BPETokenizer`; about 100 MB."""


class Tokenizer(Protocol):
    """Splits a text into the tokens that a vocabulary holds, and joins tokens to a text."""

    def split(self, text: str) -> list[str]:
        """Return the tokens of a text."""
        ...

    def join(self, tokens: Iterable[str]) -> str:
        """Return the text of tokens."""
        ...

    def digest(self) -> str:
        """Return hexadecimal digits that differ if any text may be split differently."""
        ...


class Tokenizers(NamedTuple):
    """The tokenizers of both sides, and of features.

    Attributes:
      source: Splits sources.
      target: Splits targets.
      features: Splits features; None: the model reads none.
    """

    source: Tokenizer
    target: Tokenizer
    features: FeaturesTokenizer | None = None


@dataclasses.dataclass(frozen=True)
class DelimiterTokenizer:
    """Words between delimiters, or characters.

    Delimiters at the ends of a text or next to each other make no empty tokens.

    Attributes:
      delimiter: Separates words; empty: every Unicode character is a token.
      lowercase: Lower-case the text first.
      normalization: The Unicode normalization form of the tokens, one of `normalization.FORMS`.
        The text of joined tokens is in NFC, if there is one.
      grapheme_clusters: Whether tokens are grapheme clusters if the delimiter is empty.

    Example:
      >>> DelimiterTokenizer(" ").split("to be  or not")
      ['to', 'be', 'or', 'not']
      >>> DelimiterTokenizer("").split("cat")
      ['c', 'a', 't']
    """

    delimiter: str
    lowercase: bool = False
    normalization: str = ""
    grapheme_clusters: bool = False

    def split(self, text: str) -> list[str]:
        """Return the words or characters of a text."""
        text = normalize(text, self.normalization, self.lowercase)
        if not self.delimiter:
            return grapheme_clusters(text) if self.grapheme_clusters else list(text)
        return [token for token in text.split(self.delimiter) if token]

    def join(self, tokens: Iterable[str]) -> str:
        """Return the tokens with the delimiter between them."""
        return recompose(self.delimiter.join(tokens), self.normalization)

    def split_to_compare(self, text: str) -> list[str]:
        """Return the tokens with which metrics compare outputs and references.

        They are those of the text that `join(split(text))` returns: lower-cased and normalized as
        the model's tokens are, but composed. An output that does not compose differs from its
        reference.

        Args:
          text: An output or a reference.
        """
        text = recompose(normalize(text, self.normalization, self.lowercase), self.normalization)
        return dataclasses.replace(self, lowercase=False, normalization="").split(text)

    def digest(self) -> str:
        """Return hexadecimal digits that differ if any text may be split differently."""
        clusters = self.grapheme_clusters and not self.delimiter
        parts = "delimiter", self.delimiter, self.lowercase
        if not clusters and not normalizes(self.normalization):
            return digest_of(*parts)
        return digest_of(*parts, self.normalization, clusters, unicodedata.unidata_version)


class BPETokenizer:
    """BPE subwords of the words that another tokenizer finds.

    "nikitin ." becomes `ni@@ ki@@ tin .`, for example.

    The subwords are those of subword-nmt, with one exception. If the last piece of a word itself
    ends in `@@`, which would join it to the next word, its last character becomes a separate piece:
    the word "@@" becomes `@@@ @`, not `@@`. The same happens if the last piece is the name of a
    special token: "UNK" becomes `UN@@ K`. Therefore joining restores the words of every text.

    Example:
      >>> codes = BPECodes((("n", "i"), ("t", "i"), ("ti", "n</w>")))
      >>> tokenizer = BPETokenizer(DelimiterTokenizer(" "), codes)
      >>> tokenizer.split("nikitin")
      ['ni@@', 'k@@', 'i@@', 'tin']
      >>> tokenizer.join(["ni@@", "k@@", "i@@", "tin"])
      'nikitin'
    """

    def __init__(self, words: DelimiterTokenizer, codes: BPECodes) -> None:
        """Combine a tokenizer and codes.

        Args:
          words: Splits a text into words.
          codes: Split words into subwords.
        """
        self.words, self.codes = words, codes
        self._cache: dict[str, list[str]] = {}
        self._cached_pieces = 0

    def split(self, text: str) -> list[str]:
        """Return the subwords of a text."""
        cache = self._cache
        pieces: list[str] = []
        for word in self.words.split(text):
            pieces += cache.get(word) or self._split_word(word)
        return pieces

    def join(self, tokens: Iterable[str]) -> str:
        """Return the text of subwords; a word that is unfinished at the end loses its `@@`."""
        tokens = list(tokens)
        tokens[-1:] = [token.removesuffix(CONTINUATION) for token in tokens[-1:]]
        return self.words.join(join_pieces(tokens))

    def digest(self) -> str:
        """Return hexadecimal digits that differ if any text may be split differently."""
        return digest_of("bpe", self.codes.to_bytes(), self.words.digest())

    def _split_word(self, word: str) -> list[str]:
        *before, last = self.codes.segment(word)
        if last.endswith(CONTINUATION) or last in _SPECIAL:
            before, last = [*before, last[:-1]], last[-1]
        pieces = [*(piece + CONTINUATION for piece in before), last]
        if self._cached_pieces + len(pieces) > MAX_CACHED_PIECES:
            self._cache.clear()
            self._cached_pieces = 0
        self._cache[word] = pieces
        self._cached_pieces += len(pieces)
        return pieces


class SentencePieceTokenizer:
    """The pieces of raw text that a SentencePiece model finds.

    "Hello world." becomes `▁Hello ▁wor ld .`, for example.

    Joining restores the text as the model normalizes it: Unicode's NFKC and single spaces, unless
    it was trained otherwise. The character `▁` (U+2581) becomes a space.
    """

    def __init__(
        self,
        model: bytes,
        lowercase: bool = False,
        normalization: str = "",
        *,
        where: str = "subwords",
    ) -> None:
        """Load a model.

        Args:
          model: The content of a model file.
          lowercase: Lower-case the text first.
          normalization: The Unicode normalization form of the text, one of `normalization.FORMS`;
            empty: that of the model itself.
          where: The name of the model, for error messages.

        Raises:
          UserError: It is not a model, it has another normalization than the given one, or
            sentencepiece is not installed.
        """
        self.model, self._lowercase, self._form = model, lowercase, normalization
        self._processor = load_sentencepiece(model, where)
        if normalization:
            check_normalization(self._processor, normalization, where)

    def split(self, text: str) -> list[str]:
        """Return the pieces of a text."""
        text = normalize(text, self._form, self._lowercase)
        pieces: list[str] = self._processor.encode(text, out_type=str)
        if _SPECIAL.isdisjoint(pieces):
            return pieces
        # Inside a word, "UNK" may be a piece. Its characters cannot be mistaken for the token.
        return [part for piece in pieces for part in (piece if piece in _SPECIAL else [piece])]

    def join(self, tokens: Iterable[str]) -> str:
        """Return the text of pieces."""
        return recompose(self._processor.decode(list(tokens)), self._form)

    def digest(self) -> str:
        """Return hexadecimal digits that differ if any text may be split differently."""
        parts = "sentencepiece", self.model, self._lowercase
        if not normalizes(self._form):
            return digest_of(*parts)
        return digest_of(*parts, self._form, unicodedata.unidata_version)


def has_unique_tokens(tokenizer: Tokenizer) -> bool:
    """Return whether different tokens always make different texts, as words do but subwords do not.

    Args:
      tokenizer: A tokenizer.
    """
    return isinstance(tokenizer, DelimiterTokenizer) and not normalizes(tokenizer.normalization)


def strip_bpe(text: str) -> str:
    """Join BPE subwords (arXiv:1508.07909) that are separated by spaces.

    Args:
      text: Subwords.

    Returns:
      Words.

    Example:
      >>> strip_bpe("Ni@@ ki@@ tin .")
      'Nikitin .'
    """
    return " ".join(join_pieces(text.split(" "))).strip()


def decode_sentencepiece(text: str) -> str:
    """Join SentencePiece pieces (arXiv:1808.06226) that are separated by spaces.

    Args:
      text: Pieces.

    Returns:
      Raw text.

    Example:
      >>> decode_sentencepiece("▁Hello ▁wor ld .")
      'Hello world.'
    """
    return text.replace(" ", "").replace("▁", " ").strip()


_POSTPROCESSING: dict[str, Callable[[str], str]] = {
    "strip_bpe": strip_bpe,
    "decode_sentencepiece": decode_sentencepiece,
}

POSTPROCESSING = function_name("", *_POSTPROCESSING)
"""The rule of a parameter that names one of these functions; empty: leave the text unchanged."""


def find_postprocessing(name: str, key: str = "postproc_fn") -> Callable[[str], str]:
    """Return the post-processing function of the given name.

    Args:
      name: Its short name ("strip_bpe"), or the name that google/seq2seq documents
        ("seq2seq.data.postproc.strip_bpe"); empty: return the text unchanged.
      key: The dotted key of the name, for the error message.

    Returns:
      A function from text to text.

    Raises:
      UserError: There is no such function.
    """
    if not name:
        return str
    function = _POSTPROCESSING.get(name.rpartition(".")[2])
    if function is None:
        raise UserError(key, f"no function {name!r}; valid: {', '.join(_POSTPROCESSING)}")
    return function


def digest_of(*parts: object) -> str:
    """Return hexadecimal digits that identify values by their `repr`.

    Args:
      *parts: What decides how a tokenizer splits a text.
    """
    return hashlib.sha256(repr(parts).encode()).hexdigest()


_SPECIAL = frozenset(SPECIAL_TOKENS)
