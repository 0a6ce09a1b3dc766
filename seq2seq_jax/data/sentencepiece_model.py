"""SentencePiece models: subwords of raw text (arXiv:1808.06226)."""

import io
import logging
import os
import random
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from seq2seq_jax.data.normalization import normalize
from seq2seq_jax.data.readers.text_lines import check_readable
from seq2seq_jax.utils.errors import UserError

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

_log = logging.getLogger(__name__)

MAX_TRAINING_LINES = 1_000_000
"""A model is trained on a random sample of this many lines if there are more."""

_MAX_LINE_BYTES = 1 << 16  # nothing is learned from longer lines
_NUM_THREADS = 4  # changes the result, because sums are rounded differently


def train_sentencepiece(
    lines: Iterable[str],
    size: int,
    *,
    model_type: str = "unigram",
    normalization: str = "",
    key: str = "subwords.size",
) -> bytes:
    """Train a model. The same lines always result in the same model.

    Args:
      lines: Raw text, read once. If there are more than `MAX_TRAINING_LINES` lines, a random sample
        is used.
      size: Number of pieces, including <unk> of the library; fewer if the text has no more.
      model_type: "unigram", "bpe", "char" or "word".
      normalization: Empty: the model normalizes texts itself, by the library's own NFKC. Otherwise
        it leaves them as they are.
      key: The dotted key of the size, for error messages.

    Returns:
      The content of a model file.

    Raises:
      UserError: The lines contain no text, or the size is too small for their characters.
    """
    from_library = _library()
    sample = _sample(lines)
    if not any(map(str.strip, sample)):
        raise UserError(
            key, "no line of the training data has text from which subwords can be learned"
        )
    model = io.BytesIO()
    try:
        from_library.SentencePieceTrainer.train(
            sentence_iterator=iter(sample),
            model_writer=model,
            vocab_size=size,
            model_type=model_type,
            **({"normalization_rule_name": "identity"} if normalization else {}),
            hard_vocab_limit=False,
            max_sentence_length=_MAX_LINE_BYTES,
            num_threads=_NUM_THREADS,
            bos_id=-1,  # the vocabulary has the start and end tokens
            eos_id=-1,
            pad_id=-1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError(key, _reason(error, size)) from error
    pieces = load_sentencepiece(model.getvalue(), key).get_piece_size()
    if pieces < size:
        _log.info(
            "SentencePiece found %s pieces in the text; %s is %s", f"{pieces:,}", key, f"{size:,}"
        )
    return model.getvalue()


def load_sentencepiece(model: bytes, where: str) -> "SentencePieceProcessor":
    """Load a model into the library.

    Args:
      model: The content of a model file.
      where: The name of the model, for the error message.

    Returns:
      A processor that encodes and decodes text.

    Raises:
      UserError: It is not a model, or sentencepiece is not installed.
    """
    processor: SentencePieceProcessor = _library().SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise UserError(
            where, "is not a SentencePiece model; use a file NAME.model that sentencepiece wrote"
        ) from error
    return processor


def check_normalization(
    processor: "SentencePieceProcessor", normalization: str, where: str
) -> None:
    """Check that a model leaves the characters of normalized texts as they are.

    Args:
      processor: The model.
      normalization: The form of the texts, one of `normalization.FORMS`, not empty.
      where: The name of the model, for the error.

    Raises:
      UserError: The model replaces characters itself.
    """
    probe = normalize("\u00e9\ufb01\u1e69\uac01e\u0301", normalization)
    if probe not in processor.normalize(probe):
        raise UserError(
            where,
            "replaces characters itself, by the normalization with which it was trained, but"
            f" the configuration has normalization={normalization}; leave that empty, or train the"
            " model with normalization_rule_name=identity",
        )


def read_sentencepiece(path: str | os.PathLike[str]) -> bytes:
    """Read a model file.

    Args:
      path: The name of the file.

    Returns:
      Its content.

    Raises:
      UserError: The file cannot be read, or is not a model.
    """
    name = os.fspath(path)
    check_readable(name)
    model = Path(name).read_bytes()
    load_sentencepiece(model, name)
    return model


def _library() -> ModuleType:
    try:
        import sentencepiece
    except ImportError as error:
        raise UserError(
            "subwords.kind",
            "sentencepiece is not installed: pip install sentencepiece",
        ) from error
    return sentencepiece


def _sample(lines: Iterable[str]) -> list[str]:
    """Return a uniform random sample of at most `MAX_TRAINING_LINES` lines.

    The library's own sampling is not reproducible: it differs from process to process.
    """
    chance = random.Random(0)
    sample: list[str] = []
    for number, line in enumerate(lines):
        if number < MAX_TRAINING_LINES:
            sample.append(line)
        elif (place := chance.randrange(number + 1)) < MAX_TRAINING_LINES:
            sample[place] = line
    return sample


def _reason(error: RuntimeError, size: int) -> str:
    text = " ".join(str(error).split())
    least = re.search(r"smaller than required_chars\. \d+ vs (\d+)", text)
    if least:
        return f"must be at least {least[1]} for the characters of this text; got {size}"
    return f"sentencepiece cannot make {size:,} pieces of this text: {text}"
