"""Whether a vocabulary covers a text and, if it does not, why."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import islice

from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizer
from seq2seq_jax.data.vocabulary import Vocabulary

MAX_OOV_RATE = 0.5
"""A warning names the reasons if a larger fraction of the tokens is out of vocabulary."""

_SAMPLE = 1000  # texts


def oov_warning(
    where: str,
    rate: float,
    texts: Iterable[str],
    tokenizer: Tokenizer,
    vocabulary: Vocabulary,
    other: Vocabulary | None = None,
) -> str:
    """Describe why most tokens of a text are out of vocabulary.

    Args:
      where: Which tokens they are, such as "source tokens of the dev set".
      rate: The fraction of them that is out of vocabulary.
      texts: The texts; the first 1,000 of them are searched for reasons.
      tokenizer: Splits the texts.
      vocabulary: The vocabulary.
      other: The vocabulary of the other side, if there is one.

    Returns:
      The warning; empty if `rate` is at most `MAX_OOV_RATE`.

    Example:
      >>> oov_warning("tokens", 1.0, ["A B"], DelimiterTokenizer(" "), Vocabulary("ab"))
      '100.00% of the tokens are out of vocabulary. Likely reason: the vocabulary is lower-case.'
    """
    if rate <= MAX_OOV_RATE:
        return ""
    reasons = _find_reasons(list(islice(texts, _SAMPLE)), tokenizer, vocabulary, other)
    if reasons:
        explanation = f"Likely reason: {'; or '.join(reasons)}."
    else:
        explanation = (
            "Possible reasons: another language, script or Unicode normal form, a wrong delimiter,"
            " swapped sides, or a small vocabulary (vocab_min_frequency, vocab_max_size)."
        )
    return f"{rate:.2%} of the {where} are out of vocabulary. {explanation}"


def normal_form(tokens: Iterable[str]) -> str:
    """Return the Unicode normal form of most tokens to which it makes a difference.

    Args:
      tokens: Distinct tokens. A token that is a combining mark counts as NFD.

    Returns:
      "NFC", "NFD", or "" if it cannot be told.

    Example:
      >>> normal_form(["caf\u00e9", "the"]), normal_form(["cafe\u0301"]), normal_form(["the"])
      ('NFC', 'NFD', '')
    """
    composed = decomposed = 0
    for token in tokens:
        if not token.isascii():
            composed += not unicodedata.is_normalized("NFD", token)
            decomposed += _is_mark(token) or not unicodedata.is_normalized("NFC", token)
    if composed == decomposed:
        return ""
    return "NFC" if composed > decomposed else "NFD"


def normal_form_warning(where: str, tokens: Iterable[str], vocabulary: Vocabulary) -> str:
    """Compare the Unicode normal form of a text with that of a vocabulary.

    Args:
      where: Which text it is, such as "the targets of the dev set".
      tokens: Its distinct tokens.
      vocabulary: The vocabulary of the training data.

    Returns:
      The warning; empty if the forms do not differ.
    """
    form, expected = normal_form(tokens), normal_form(vocabulary.tokens)
    if not form or not expected or form == expected:
        return ""
    return (
        f"{where} are in Unicode normal form {form}, but the vocabulary is in {expected}; the same"
        f" characters count as different. Convert the text to {expected}."
    )


def _find_reasons(
    texts: list[str], tokenizer: Tokenizer, vocabulary: Vocabulary, other: Vocabulary | None
) -> list[str]:
    """Return the changes of the texts after which at most half as many tokens are OOV."""
    rate = partial(_oov_rate, texts)
    least = rate(tokenizer.split, vocabulary) / 2

    def after(change: Callable[[str], str]) -> float:
        return rate(lambda text: tokenizer.split(change(text)), vocabulary)

    reasons = [
        f"the texts are not in Unicode normal form {form}"
        for form in ("NFC", "NFD", "NFKC")
        if after(partial(unicodedata.normalize, form)) <= least
    ][:1]
    if after(str.lower) <= least:
        reasons.append("the vocabulary is lower-case")
    if other is not None and rate(tokenizer.split, other) <= least:
        reasons.append("source and target are swapped")
    if isinstance(tokenizer, DelimiterTokenizer):
        reasons += [
            f"the delimiter is wrong; it should be {delimiter!r} instead of {tokenizer.delimiter!r}"
            for delimiter in ("", " ", "\t")
            if delimiter != tokenizer.delimiter
            and rate(replace(tokenizer, delimiter=delimiter).split, vocabulary) <= least
        ]
    scripts = _main_script(texts), _main_script(vocabulary.tokens)
    if not reasons and all(scripts) and scripts[0] != scripts[1]:
        reasons.append(
            f"the texts are in {scripts[0]} script, but the vocabulary is in {scripts[1]}"
        )
    return reasons


def _oov_rate(texts: list[str], split: Callable[[str], list[str]], vocabulary: Vocabulary) -> float:
    ids = [id for text in texts for id in vocabulary.encode(split(text))]
    return ids.count(vocabulary.unk_id) / max(len(ids), 1)


def _main_script(texts: Iterable[str]) -> str:
    """Return the script of most letters, by the first word of their names; "" without letters."""
    counts: Counter[str] = Counter()
    for character, count in Counter("".join(texts)).items():
        if character.isalpha():
            counts[unicodedata.name(character, "").partition(" ")[0].capitalize()] += count
    return max(counts, key=lambda script: counts[script], default="")


def _is_mark(token: str) -> bool:
    """Return whether a token is a combining mark, or a part of a Korean syllable."""
    return len(token) == 1 and (bool(unicodedata.combining(token)) or "\u1100" <= token <= "\u11ff")
