"""Subwords of raw text: models of the library sentencepiece (arXiv:1808.06226)."""

import io
import logging
import os
import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_jax.data.readers.text_lines import check_readable
from seq2seq_jax.utils.atomic_io import atomic_write
from seq2seq_jax.utils.errors import UserError

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

_log = logging.getLogger(__name__)

SAMPLE = 1_000_000
"""Lines that a model is trained on at most."""

_LONGEST_LINE = 1 << 16  # bytes; longer ones teach nothing
_THREADS = 4  # part of the result: sums are rounded otherwise with another number


def train_sentencepiece(
    lines: Iterable[str], size: int, *, model_type: str = "unigram", key: str = "subwords.size"
) -> bytes:
    """Trains a model; the same lines make the same model.

    Args:
      lines: raw text, read once. Of more than `SAMPLE` lines a random sample is used.
      size: pieces, the library's own <unk> included; fewer where the text has no more.
      model_type: "unigram", "bpe", "char" or "word".
      key: where the size stands in the configuration, for error messages.

    Returns:
      The content of a model file.

    Raises:
      UserError: there is no text in the lines, or the size is too small for their characters.
    """
    from_library = _library()
    sample = _sample(lines)
    if not any(map(str.strip, sample)):
        raise UserError(
            key, "no line of the training data has text that subwords could be learnt from"
        )
    model = io.BytesIO()
    try:
        from_library.SentencePieceTrainer.train(
            sentence_iterator=iter(sample),
            model_writer=model,
            vocab_size=size,
            model_type=model_type,
            hard_vocab_limit=False,
            max_sentence_length=_LONGEST_LINE,
            num_threads=_THREADS,
            bos_id=-1,  # start and end are the vocabulary's
            eos_id=-1,
            pad_id=-1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError(key, _reason(error, size)) from error
    pieces = load_sentencepiece(model.getvalue(), key).get_piece_size()
    if pieces < size:
        _log.info("%s is %s, but the text has only %s pieces", key, f"{size:,}", f"{pieces:,}")
    return model.getvalue()


def load_sentencepiece(model: bytes, where: str) -> "SentencePieceProcessor":
    """What encodes and decodes with a model.

    Args:
      model: the content of a model file.
      where: its name, for the error message.

    Raises:
      UserError: it is not a model.
    """
    processor = _library().SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise UserError(
            where, "is not a model of sentencepiece; a file NAME.model that it wrote would do"
        ) from error
    return processor


def read_sentencepiece(path: str | os.PathLike) -> bytes:
    """The content of a model file.

    Raises:
      UserError: it cannot be read, or is not a model.
    """
    name = os.fspath(path)
    check_readable(name)
    model = Path(name).read_bytes()
    load_sentencepiece(model, name)
    return model


def write_sentencepiece(model: bytes, path: str | os.PathLike) -> None:
    """Writes a model file: the whole file or, if this process dies, none of it."""
    atomic_write(path, model)


def _library():
    try:
        import sentencepiece
    except ImportError as error:
        raise UserError(
            "subwords.kind",
            "sentencepiece is not installed: pip install sentencepiece",
        ) from error
    return sentencepiece


def _sample(lines: Iterable[str]) -> list[str]:
    """At most `SAMPLE` lines, each as likely as any other. The library's own sampling is no use: it
    is another one in every process."""
    chance = random.Random(0)
    sample: list[str] = []
    for number, line in enumerate(lines):
        if number < SAMPLE:
            sample.append(line)
        elif (place := chance.randrange(number + 1)) < SAMPLE:
            sample[place] = line
    return sample


def _reason(error: RuntimeError, size: int) -> str:
    text = " ".join(str(error).split())
    least = re.search(r"smaller than required_chars\. \d+ vs (\d+)", text)
    if least:
        return f"must be at least {least[1]} for the characters of this text; got {size}"
    return f"sentencepiece cannot make {size:,} pieces of this text: {text}"
