"""Tokenizers split a text into tokens, and join tokens to a text: words, characters or subwords.

The functions at the end undo subword segmentation in the text of joined tokens (`postproc_fn`).
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from seq2seq_jax.data.bpe import CONTINUATION, BPECodes, join_pieces
from seq2seq_jax.data.sentencepiece_model import load_sentencepiece
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
    """The tokenizers of both sides.

    Attributes:
      source: Splits sources.
      target: Splits targets.
    """

    source: Tokenizer
    target: Tokenizer


@dataclasses.dataclass(frozen=True)
class DelimiterTokenizer:
    """Words between delimiters, or characters.

    Delimiters at the ends of a text or next to each other make no empty tokens.

    Attributes:
      delimiter: Separates words; empty: every Unicode character is a token.
      lowercase: Lower-case the text first.

    Example:
      >>> DelimiterTokenizer(" ").split("to be  or not")
      ['to', 'be', 'or', 'not']
      >>> DelimiterTokenizer("").split("cat")
      ['c', 'a', 't']
    """

    delimiter: str
    lowercase: bool = False

    def split(self, text: str) -> list[str]:
        """Return the words or characters of a text."""
        if self.lowercase:
            text = text.lower()
        if not self.delimiter:
            return list(text)
        return [token for token in text.split(self.delimiter) if token]

    def join(self, tokens: Iterable[str]) -> str:
        """Return the tokens with the delimiter between them."""
        return self.delimiter.join(tokens)

    def digest(self) -> str:
        """Return hexadecimal digits that differ if any text may be split differently."""
        return _digest("delimiter", self.delimiter, self.lowercase)


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
        return _digest("bpe", self.codes.to_bytes(), self.words.digest())

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

    def __init__(self, model: bytes, lowercase: bool = False, *, where: str = "subwords") -> None:
        """Load a model.

        Args:
          model: The content of a model file.
          lowercase: Lower-case the text first.
          where: The name of the model, for error messages.

        Raises:
          UserError: It is not a model, or sentencepiece is not installed.
        """
        self.model, self._lowercase = model, lowercase
        self._processor = load_sentencepiece(model, where)

    def split(self, text: str) -> list[str]:
        """Return the pieces of a text."""
        if self._lowercase:
            text = text.lower()
        pieces: list[str] = self._processor.encode(text, out_type=str)
        if _SPECIAL.isdisjoint(pieces):
            return pieces
        # Inside a word, "UNK" may be a piece. Its characters cannot be mistaken for the token.
        return [part for piece in pieces for part in (piece if piece in _SPECIAL else [piece])]

    def join(self, tokens: Iterable[str]) -> str:
        """Return the text of pieces."""
        text: str = self._processor.decode(list(tokens))
        return text

    def digest(self) -> str:
        """Return hexadecimal digits that differ if any text may be split differently."""
        return _digest("sentencepiece", self.model, self._lowercase)


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


_SPECIAL = frozenset(SPECIAL_TOKENS)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
