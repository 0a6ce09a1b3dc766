"""From text to tokens and back: words, characters or subwords, for each side of the pairs."""

import dataclasses
import hashlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple, Protocol

from seq2seq_jax.data.bpe import CONTINUED, BPECodes, join_pieces, learn_bpe
from seq2seq_jax.data.readers.input_pipeline import TextPair
from seq2seq_jax.data.sentencepiece_model import (
    load_sentencepiece,
    read_sentencepiece,
    train_sentencepiece,
    write_sentencepiece,
)
from seq2seq_jax.data.vocabulary import SPECIAL_TOKENS
from seq2seq_jax.schema.keys import at_least, one_of
from seq2seq_jax.utils.logging import progress_count

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SubwordConfig:
    """Which sides are split into subwords, and where the subwords come from."""

    kind: Annotated[
        str,
        one_of("", "bpe", "sentencepiece"),
        "Subwords of BPE (as subword-nmt) or SentencePiece; empty: words or characters.",
    ] = ""
    size: Annotated[
        int, at_least(1), "Number of BPE merges, or of SentencePiece pieces, to learn."
    ] = 8000
    joint: Annotated[bool, "Learn one set of subwords from source and target together."] = True
    sides: Annotated[
        str, one_of("both", "source", "target"), "Sides that are split into subwords."
    ] = "both"
    source_model: Annotated[
        str, "File with the codes or the model of the source; empty: learned."
    ] = ""
    target_model: Annotated[
        str, "File with the codes or the model of the target; empty: learned."
    ] = ""
    model_type: Annotated[
        str, one_of("unigram", "bpe", "char", "word"), "Model type of SentencePiece."
    ] = "unigram"


class Tokenizer(Protocol):
    """Splits a text into the tokens that a vocabulary holds, and joins tokens to a text."""

    def split(self, text: str) -> list[str]: ...

    def join(self, tokens: Iterable[str]) -> str: ...

    def digest(self) -> str:
        """Hexadecimal digits that are others if any text may be split otherwise."""
        ...


class Tokenizers(NamedTuple):
    source: Tokenizer
    target: Tokenizer


@dataclasses.dataclass(frozen=True)
class DelimiterTokenizer:
    """Words between delimiters; the delimiter "" makes every Unicode character a token.

    Delimiters at the ends of a text or in a row make no empty tokens.
    """

    delimiter: str
    lowercase: bool = False

    def split(self, text: str) -> list[str]:
        if self.lowercase:
            text = text.lower()
        if not self.delimiter:
            return list(text)
        return [token for token in text.split(self.delimiter) if token]

    def join(self, tokens: Iterable[str]) -> str:
        return self.delimiter.join(tokens)

    def digest(self) -> str:
        return _digest("delimiter", self.delimiter, self.lowercase)


class BPETokenizer:
    """Subwords of the words that another tokenizer finds: "nikitin ." is `ni@@ ki@@ tin .`

    They are those of subword-nmt but for one thing. Where the last piece of a word itself ends in
    `@@`, which would draw the next word to it, its last character is split off: the word "@@" is
    `@@@ @`, not `@@`. So it is where the piece reads like a special token: "UNK" is `UN@@ K`.
    Joining gives the words of every text back.
    """

    def __init__(self, words: DelimiterTokenizer, codes: BPECodes):
        self.words, self.codes = words, codes
        self._cache: dict[str, list[str]] = {}
        self._cached_pieces = 0

    def split(self, text: str) -> list[str]:
        cache, pieces = self._cache, []
        for word in self.words.split(text):
            pieces += cache.get(word) or self._split_word(word)
        return pieces

    def join(self, tokens: Iterable[str]) -> str:
        """What is left unfinished at the end, because decoding stopped there, loses its `@@`."""
        tokens = list(tokens)
        tokens[-1:] = [token.removesuffix(CONTINUED) for token in tokens[-1:]]
        return self.words.join(join_pieces(tokens))

    def digest(self) -> str:
        return _digest("bpe", self.codes.to_bytes(), self.words.digest())

    def _split_word(self, word: str) -> list[str]:
        *before, last = self.codes.segment(word)
        if last.endswith(CONTINUED) or last in _SPECIAL:
            before, last = [*before, last[:-1]], last[-1]
        pieces = [*(piece + CONTINUED for piece in before), last]
        if self._cached_pieces + len(pieces) > _CACHED_PIECES:
            self._cache.clear()
            self._cached_pieces = 0
        self._cache[word] = pieces
        self._cached_pieces += len(pieces)
        return pieces


class SentencePieceTokenizer:
    """Pieces of raw text by a model of sentencepiece: "Hello world." may be `▁Hello ▁wor ld .`

    Joining gives the text back as the model's normalisation has it: Unicode's NFKC and single
    blanks, unless it was trained otherwise. The character `▁` (U+2581) becomes a blank.
    """

    def __init__(self, model: bytes, lowercase: bool = False, *, where: str = "subwords"):
        """
        Args:
          model: the content of a model file.
          lowercase: lower-case the text first.
          where: the model's name, for error messages.

        Raises:
          UserError: it is not a model, or sentencepiece is not installed.
        """
        self.model, self._lowercase = model, lowercase
        self._processor = load_sentencepiece(model, where)

    def split(self, text: str) -> list[str]:
        if self._lowercase:
            text = text.lower()
        pieces = self._processor.encode(text, out_type=str)
        if _SPECIAL.isdisjoint(pieces):
            return pieces
        # In the middle of a word, "UNK" may be a piece: spelt out, it cannot be taken for ours.
        return [part for piece in pieces for part in (piece if piece in _SPECIAL else [piece])]

    def join(self, tokens: Iterable[str]) -> str:
        return self._processor.decode(list(tokens))

    def digest(self) -> str:
        return _digest("sentencepiece", self.model, self._lowercase)


def make_tokenizers(
    pairs: Callable[[], Iterable[TextPair]],
    *,
    kind: str,
    size: int = 8000,
    joint: bool = True,
    sides: str = "both",
    source_model: str = "",
    target_model: str = "",
    model_type: str = "unigram",
    source_delimiter: str = " ",
    target_delimiter: str = " ",
    lowercase: bool = False,
) -> Tokenizers:
    """Reads the codes or models of subwords that are given, and learns those that are not.

    Args:
      pairs: called for a pass over the training data, if there is anything to learn.
      kind: "" for words or characters, "bpe" or "sentencepiece" for subwords.
      size: merges of BPE, pieces of SentencePiece.
      joint: both sides have the same subwords, learnt from both; or given for one of them.
      sides: which have subwords: "both", "source" or "target". The other has words or characters.
      source_model, target_model: files of codes or models; "": to be learnt.
      model_type: of SentencePiece: "unigram", "bpe", "char" or "word".
      source_delimiter, target_delimiter: between words, "" for characters; SentencePiece goes
        without.
      lowercase: lower-case the sources.

    Raises:
      UserError: a file that cannot be used, or a text from which nothing can be learnt.
    """
    words = _words(source_delimiter, target_delimiter, lowercase)
    chosen = _sides_with_subwords(kind, sides)
    files = dict(zip(_SIDES, (source_model, target_model), strict=True))
    if joint and sides == "both":
        files = {side: file or source_model or target_model for side, file in files.items()}
    subwords = {
        side: _read(kind, os.path.expanduser(files[side])) for side in chosen if files[side]
    }
    missing = [side for side in chosen if side not in subwords]
    for together in [missing] if joint and missing else [[side] for side in missing]:
        what = f"{size:,} {_UNITS[kind]}"
        texts = _texts(pairs(), [_SIDES.index(side) for side in together], words, what)
        subwords |= dict.fromkeys(together, _learn(kind, texts, size, model_type))
    return _with_subwords(words, subwords)


def write_tokenizers(directory: str | os.PathLike, tokenizers: Tokenizers) -> None:
    """Writes `subwords.SIDE.codes` of BPE or `subwords.SIDE.model`; words need no file."""
    for side, tokenizer in tokenizers._asdict().items():
        if isinstance(tokenizer, BPETokenizer):
            tokenizer.codes.write(_file(directory, side, "bpe"))
        elif isinstance(tokenizer, SentencePieceTokenizer):
            write_sentencepiece(tokenizer.model, _file(directory, side, "sentencepiece"))


def read_tokenizers(
    directory: str | os.PathLike,
    *,
    kind: str,
    sides: str = "both",
    source_delimiter: str = " ",
    target_delimiter: str = " ",
    lowercase: bool = False,
) -> Tokenizers | None:
    """The tokenizers that were written to a directory, None if their files are not all there.

    Args:
      kind, sides, source_delimiter, target_delimiter, lowercase: as in `make_tokenizers`.

    Raises:
      UserError: a file cannot be used.
    """
    chosen = _sides_with_subwords(kind, sides)
    files = {side: _file(directory, side, kind) for side in chosen}
    if not all(file.exists() for file in files.values()):
        return None
    words = _words(source_delimiter, target_delimiter, lowercase)
    return _with_subwords(words, {side: _read(kind, file) for side, file in files.items()})


_Words = tuple[DelimiterTokenizer, DelimiterTokenizer]
_Subwords = BPECodes | bytes  # codes of BPE, or a model of SentencePiece

_SIDES = Tokenizers._fields
_UNITS = {"bpe": "merges of BPE", "sentencepiece": "pieces of SentencePiece"}
_SUFFIXES = {"bpe": "codes", "sentencepiece": "model"}
_SPECIAL = frozenset(SPECIAL_TOKENS)
_CACHED_PIECES = 1 << 20  # about 100 MB


def _words(source_delimiter: str, target_delimiter: str, lowercase: bool) -> _Words:
    return DelimiterTokenizer(source_delimiter, lowercase), DelimiterTokenizer(target_delimiter)


def _sides_with_subwords(kind: str, sides: str) -> list[str]:
    return [side for side in _SIDES if kind and sides in ("both", side)]


def _with_subwords(words: _Words, subwords: dict[str, _Subwords]) -> Tokenizers:
    def tokenizer(side: str, words: DelimiterTokenizer) -> Tokenizer:
        match subwords.get(side):
            case BPECodes() as codes:
                return BPETokenizer(words, codes)
            case bytes() as model:
                return SentencePieceTokenizer(model, words.lowercase)
        return words

    return Tokenizers(*map(tokenizer, _SIDES, words))


def _read(kind: str, file: str | Path) -> _Subwords:
    return BPECodes.read(file) if kind == "bpe" else read_sentencepiece(file)


def _file(directory: str | os.PathLike, side: str, kind: str) -> Path:
    return Path(directory, f"subwords.{side}.{_SUFFIXES[kind]}")


def _learn(
    kind: str, texts: Iterable[tuple[DelimiterTokenizer, str]], size: int, model_type: str
) -> _Subwords:
    if kind == "bpe":
        counts: Counter[str] = Counter()
        for words, text in texts:
            counts.update(words.split(text))
        return learn_bpe(counts, size)
    lines = (text.lower() if words.lowercase else text for words, text in texts)
    return train_sentencepiece(lines, size, model_type=model_type)


def _texts(
    pairs: Iterable[tuple[str, str]], columns: list[int], words: _Words, what: str
) -> Iterator[tuple[DelimiterTokenizer, str]]:
    """The texts of these columns, each with the tokenizer of its words; then tells how many."""
    number = 0
    with progress_count("reading texts for subwords") as show:
        for pair in pairs:
            for column in columns:
                number += 1
                if number % 10_000 == 0:
                    show(number)
                yield words[column], pair[column]
    names = " and ".join(_SIDES[column] for column in columns)
    _log.info("learning %s from %s lines of %s text", what, f"{number:,}", names)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
