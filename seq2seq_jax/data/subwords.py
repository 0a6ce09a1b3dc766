"""Subwords of a run: learned from the training data, read from files, stored in the workdir."""

import dataclasses
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

from seq2seq_jax.data.bpe import BPECodes, learn_bpe
from seq2seq_jax.data.languages import TaggedTokenizer, split_tag
from seq2seq_jax.data.normalization import normalize
from seq2seq_jax.data.readers.input_pipeline import Example
from seq2seq_jax.data.readers.text_lines import check_readable
from seq2seq_jax.data.sentencepiece_model import (
    read_sentencepiece,
    train_sentencepiece,
)
from seq2seq_jax.data.tokenizers import (
    BPETokenizer,
    DelimiterTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
    Tokenizers,
)
from seq2seq_jax.schema.rules import between, one_of
from seq2seq_jax.utils.atomic_io import atomic_write
from seq2seq_jax.utils.logging import progress_count

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SubwordConfig:
    """Which sides are split into subwords, and where the subwords come from.

    Attributes:
      kind: Subwords of BPE (as subword-nmt) or SentencePiece; empty: words or characters.
      size: Number of BPE merges or SentencePiece pieces.
      joint: Learn one set of subwords from source and target together.
      sides: Sides with subwords.
      source_model: File of the source codes or model; empty: learn them.
      target_model: File of the target codes or model; empty: learn them.
      model_type: Model type of SentencePiece.
    """

    kind: Annotated[str, one_of("", "bpe", "sentencepiece")] = ""
    size: Annotated[int, between(1, 1_000_000)] = 8000
    joint: bool = True
    sides: Annotated[str, one_of("both", "source", "target")] = "both"
    source_model: str = ""
    target_model: str = ""
    model_type: Annotated[str, one_of("unigram", "bpe", "char", "word")] = "unigram"


class WordTokenizers(NamedTuple):
    """The tokenizers of both sides before texts are split into subwords.

    Attributes:
      source: Splits sources into words or characters.
      target: Splits targets into words or characters.
      tagged: Whether each source begins with the tag of its language, which is a token.
    """

    source: DelimiterTokenizer
    target: DelimiterTokenizer
    tagged: bool = False


def make_tokenizers(
    pairs: Callable[[], Iterable[Example]],
    words: WordTokenizers,
    subwords: SubwordConfig = SubwordConfig(),
) -> Tokenizers:
    """Read the codes or models of subwords that are given, and learn those that are not.

    Args:
      pairs: Called for each pass over the training data that learning needs.
      words: Split texts into words for BPE, and those of a side without subwords. SentencePiece
        only takes `lowercase` and `normalization` from them.
      subwords: Which subwords to make. With `joint`, a file that is given for one side is used
        for both.

    Returns:
      The tokenizers of both sides.

    Raises:
      UserError: A file cannot be used, or nothing can be learned from the text.
    """
    kind = subwords.kind
    sides = _sides_with_subwords(subwords)
    files = {"source": subwords.source_model, "target": subwords.target_model}
    if subwords.joint and subwords.sides == "both":
        given = subwords.source_model or subwords.target_model
        files = {side: file or given for side, file in files.items()}
    models = {}
    for side in sides:
        if file := os.path.expanduser(files[side]):
            check_readable(file, key=f"subwords.{side}_model")
            models[side] = _read(kind, file)
    missing = [side for side in sides if side not in models]
    for group in [missing] if subwords.joint and missing else [[side] for side in missing]:
        what = f"{subwords.size:,} {_UNITS[kind]}"
        texts = _texts(pairs(), [_SIDES.index(side) for side in group], words, what)
        forms = [getattr(words, side).normalization for side in group]
        models |= dict.fromkeys(group, _learn(texts, subwords, forms[0]))
    return _with_subwords(words, models)


def write_tokenizers(directory: str | os.PathLike[str], tokenizers: Tokenizers) -> None:
    """Write `subwords.SIDE.codes` of BPE, or `subwords.SIDE.model`; words need no file.

    Args:
      directory: Where to write, which must exist.
      tokenizers: The tokenizers of both sides.
    """
    for side, tokenizer in tokenizers._asdict().items():
        if isinstance(tokenizer, TaggedTokenizer):
            tokenizer = tokenizer.rest
        if isinstance(tokenizer, BPETokenizer):
            tokenizer.codes.write(_file(directory, side, "bpe"))
        elif isinstance(tokenizer, SentencePieceTokenizer):
            atomic_write(_file(directory, side, "sentencepiece"), tokenizer.model)


def read_tokenizers(
    directory: str | os.PathLike[str],
    words: WordTokenizers,
    subwords: SubwordConfig = SubwordConfig(),
) -> Tokenizers | None:
    """Read the tokenizers that `write_tokenizers` wrote.

    Args:
      directory: Where they were written.
      words: As in `make_tokenizers`.
      subwords: Likewise; `kind` and `sides` are used.

    Returns:
      The tokenizers, or None if a file is missing.

    Raises:
      UserError: A file cannot be used.
    """
    files = {side: _file(directory, side, subwords.kind) for side in _sides_with_subwords(subwords)}
    if not all(file.exists() for file in files.values()):
        return None
    return _with_subwords(words, {side: _read(subwords.kind, file) for side, file in files.items()})


_Model = BPECodes | bytes  # codes of BPE, or the content of a model file of SentencePiece

_SIDES = ("source", "target")
_UNITS = {"bpe": "BPE merges", "sentencepiece": "SentencePiece pieces"}
_SUFFIXES = {"bpe": "codes", "sentencepiece": "model"}


def _sides_with_subwords(subwords: SubwordConfig) -> list[str]:
    return [side for side in _SIDES if subwords.kind and subwords.sides in ("both", side)]


def _with_subwords(words: WordTokenizers, models: dict[str, _Model]) -> Tokenizers:
    def tokenizer(side: str, words: DelimiterTokenizer) -> Tokenizer:
        match models.get(side):
            case BPECodes() as codes:
                return BPETokenizer(words, codes)
            case bytes() as model:
                key = f"subwords.{side}_model"
                form = words.normalization
                return SentencePieceTokenizer(model, words.lowercase, form, where=key)
        return words

    source, target = map(tokenizer, _SIDES, words[:2])
    return Tokenizers(TaggedTokenizer(source) if words.tagged else source, target)


def _read(kind: str, file: str | Path) -> _Model:
    return BPECodes.read(file) if kind == "bpe" else read_sentencepiece(file)


def _file(directory: str | os.PathLike[str], side: str, kind: str) -> Path:
    return Path(directory, f"subwords.{side}.{_SUFFIXES[kind]}")


def _learn(
    texts: Iterable[tuple[DelimiterTokenizer, str]], subwords: SubwordConfig, form: str
) -> _Model:
    if subwords.kind == "bpe":
        counts: Counter[str] = Counter()
        for words, text in texts:
            counts.update(words.split(text))
        return learn_bpe(counts, subwords.size)
    lines = (normalize(text, words.normalization, words.lowercase) for words, text in texts)
    return train_sentencepiece(
        lines, subwords.size, model_type=subwords.model_type, normalization=form
    )


def _texts(
    pairs: Iterable[Example], columns: list[int], words: WordTokenizers, what: str
) -> Iterator[tuple[DelimiterTokenizer, str]]:
    """Yield the texts of these columns, each with the tokenizer of its words; then log `what`."""
    number, words_of_side = 0, words[:2]
    with progress_count("Reading texts for subwords") as show:
        for pair in pairs:
            for column in columns:
                number += 1
                if number % 10_000 == 0:
                    show(number)
                text = pair[column]
                if words.tagged and column == 0:
                    _, text = split_tag(text)
                yield words_of_side[column], text
    names = " and ".join(_SIDES[column] for column in columns)
    _log.info("Learning %s from %s lines of %s text", what, f"{number:,}", names)
