"""Checks of vocabulary files that users name: tokens that can never occur in a text."""

import json
import logging
import re
import reprlib
from collections.abc import Sequence
from dataclasses import replace

from seq2seq_jax.data.languages import TaggedTokenizer, is_tag
from seq2seq_jax.data.normalization import normalize, normalizes
from seq2seq_jax.data.tokenizers import (
    BPETokenizer,
    DelimiterTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
)
from seq2seq_jax.data.vocabulary import SPECIAL_TOKENS, Vocabulary
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)

_OTHER_SPECIALS = re.compile(
    r"</?s>|<(unk|pad|blank|bos|eos|sep|cls|mask|go)>|\[(UNK|PAD|BOS|EOS|SEP|CLS|MASK)\]",
    re.IGNORECASE,
)
_MARIAN = re.compile(r".*: (\d+)")
_YAML = "this is the form of Marian's YAML; keep only the text before the colon"
_JSON = "this looks like JSON; write one token a line"
_FORMS = (
    (_MARIAN, _YAML),
    (re.compile(r"\s*[\[{]\s*\".*|\s*\".*\"(:\s*\d+)?,?"), _JSON),
    (
        re.compile(r"\S+ -?\d+(\.\d+)?"),
        "this is the form of fairseq; replace the blank before the count by a tab",
    ),
    (re.compile(r"\s+\S*|\S*\s+"), "remove the blanks around the token"),
)


def check_vocabulary_file(
    vocabulary: Vocabulary, path: str, tokenizers: Sequence[Tokenizer]
) -> None:
    """Check that each token of a file can occur in a text, and log special tokens of other tools.

    Args:
      vocabulary: What `Vocabulary.read` returned.
      path: The name of the file.
      tokenizers: The tokenizers of the sides that use the file. Each token must be one that at
        least one of them can return.

    Raises:
      UserError: A token (FILE:LINE) can never occur, as in a file in the form of another toolkit.

    Example:
      >>> check_vocabulary_file(Vocabulary(["a 10"]), "dict.txt", [DelimiterTokenizer(" ")])
      Traceback (most recent call last):
      seq2seq_jax.utils.errors.UserError: dict.txt:1: 'a 10' contains the delimiter ' ', ...
    """
    tokens = vocabulary.tokens
    specials = [token for token in tokens if _OTHER_SPECIALS.fullmatch(token)]
    foreign = _foreign_form(tokens)
    for number, token in enumerate(tokens, start=1):
        if token in specials and not foreign:
            continue
        reasons = [_reason_against(token, tokenizer) for tokenizer in tokenizers]
        if all(reasons) or foreign:
            remedy = foreign or next(
                (form for pattern, form in _FORMS if pattern.fullmatch(token)),
                "write one token a line, optionally with a tab and a count",
            )
            reason = f" {reasons[0]}, so it never occurs" if reasons[0] else " is no token"
            raise UserError(f"{path}:{number}", f"{reprlib.repr(token)}{reason}; {remedy}")
    if specials:
        _log.warning(
            "%s: %s count as ordinary tokens; the special tokens %s are added to every vocabulary",
            path,
            ", ".join(specials),
            ", ".join(SPECIAL_TOKENS),
        )


def _foreign_form(tokens: Sequence[str]) -> str:
    """Return the remedy if a whole file has the form of another toolkit, otherwise ""."""
    ids = [match[1] for token in tokens if (match := _MARIAN.fullmatch(token))]
    if len(tokens) > 1 and ids == [str(i) for i in range(len(tokens))]:
        return _YAML
    if tokens[0][0] in "[{":
        try:
            content = json.loads("\n".join(tokens))
        except (ValueError, RecursionError):
            return ""
        if content and all(isinstance(token, str) for token in content):
            return _JSON
    return ""


def _reason_against(token: str, tokenizer: Tokenizer) -> str:
    """Return why a tokenizer cannot return a token; empty if it can."""
    delimiter = " "
    if isinstance(tokenizer, TaggedTokenizer):
        if is_tag(token):
            return ""
        tokenizer = tokenizer.rest
    match tokenizer:
        case DelimiterTokenizer():
            delimiter = tokenizer.delimiter
        case BPETokenizer():
            delimiter = tokenizer.words.delimiter
        case SentencePieceTokenizer():
            pass
        case _:
            return ""
    if delimiter and delimiter in token:
        return f"contains the delimiter {delimiter!r}"
    words = tokenizer.words if isinstance(tokenizer, BPETokenizer) else tokenizer
    if not isinstance(words, DelimiterTokenizer):
        return ""
    form = words.normalization
    if normalizes(form) and normalize(token, form) != token:
        return f"is not in the Unicode normalization form {form} of this side"
    if not delimiter and len(replace(words, lowercase=False).split(token)) > 1:
        if words.grapheme_clusters:
            return "has several grapheme clusters, but each of them is a token"
        return "has several characters, but each character is a token (the delimiter is empty)"
    return ""
