"""Vocabularies: the tokens that a model knows, each with its id.

Ids are line numbers from 0; behind the n words stand UNK (n), SEQUENCE_START (n + 1) and
SEQUENCE_END (n + 2). Padding has no id of its own: lengths tell what is padding.
"""

import dataclasses
import os
import reprlib
from collections import Counter
from collections.abc import Iterable, Sequence

from seq2seq_jax.data.readers.text_lines import read_lines
from seq2seq_jax.utils.atomic_io import atomic_write
from seq2seq_jax.utils.errors import UserError

UNK = "UNK"
SEQUENCE_START = "SEQUENCE_START"
SEQUENCE_END = "SEQUENCE_END"
SPECIAL_TOKENS = (UNK, SEQUENCE_START, SEQUENCE_END)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Words in the order of their ids, without the special tokens.

    Raises:
      ValueError: a word occurs twice or is a special token.
    """

    tokens: tuple[str, ...]
    _names: tuple[str, ...] = dataclasses.field(init=False, repr=False, compare=False)
    _ids: dict[str, int] = dataclasses.field(init=False, repr=False, compare=False)

    def __init__(self, tokens: Iterable[str]):
        words = tuple(tokens)
        names = words + SPECIAL_TOKENS
        ids = {name: i for i, name in enumerate(names)}
        if len(ids) != len(names):
            raise ValueError("a word occurs twice or is a special token")
        object.__setattr__(self, "tokens", words)
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_ids", ids)

    @property
    def size(self) -> int:
        """Number of ids, the special tokens included."""
        return len(self._names)

    @property
    def unk_id(self) -> int:
        return len(self.tokens)

    @property
    def sequence_start_id(self) -> int:
        return len(self.tokens) + 1

    @property
    def sequence_end_id(self) -> int:
        return len(self.tokens) + 2

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Ids of the tokens; unknown ones become UNK, special ones by name their own id."""
        get, unk = self._ids.get, self.unk_id
        return [get(token, unk) for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Tokens of the ids, special ones by name; an id that does not exist is UNK."""
        names = self._names
        return [names[i] if 0 <= i < len(names) else UNK for i in ids]

    @classmethod
    def read(cls, path: str | os.PathLike) -> "Vocabulary":
        """Reads one token a line; if the first line has a tab, a count follows every token.

        Raises:
          UserError: the file cannot be read or holds no token, or (FILE:LINE) a line is empty,
            not UTF-8, not of the first line's form, a special token, or there already.
        """
        name = os.fspath(path)
        first_seen: dict[str, int] = {}
        with_counts = False
        for number, line in enumerate(read_lines(name), start=1):
            where = f"{name}:{number}"
            if number == 1:
                with_counts = "\t" in line
            token = _token(line, where, number, with_counts)
            if not token:
                raise UserError(where, "empty: a vocabulary has one token on every line")
            if token in SPECIAL_TOKENS:
                raise UserError(
                    where, f"{token} is a special token and is added by itself: take the line out"
                )
            if token in first_seen:
                raise UserError(
                    where, f"the token {reprlib.repr(token)} is already in line {first_seen[token]}"
                )
            first_seen[token] = number
        if not first_seen:
            raise UserError(name, "holds no token: a vocabulary has one token on every line")
        return cls(first_seen)

    def write(self, path: str | os.PathLike) -> None:
        """Writes one token a line: the whole file or, if this process dies, none of it."""
        atomic_write(path, "".join(f"{token}\n" for token in self.tokens).encode("utf-8"))


def build_vocabulary(
    token_lists: Iterable[Sequence[str]], min_frequency: int = 0, max_size: int = 0
) -> Vocabulary:
    """Counts tokens and keeps the frequent ones: by count, then by word, both descending.

    Args:
      token_lists: the texts, read once.
      min_frequency: a token must occur more often than this.
      max_size: at most so many words; 0 is no limit.

    Special tokens in the text keep their meaning and are no words. Tokens with a tab, a
    line's end or a byte order mark inside have no place in a vocabulary file: they stay
    unknown.
    """
    counts: Counter[str] = Counter()
    for tokens in token_lists:
        counts.update(tokens)
    return most_frequent(counts.items(), min_frequency, max_size)


def most_frequent(
    counts: Iterable[tuple[str, int]], min_frequency: int = 0, max_size: int = 0
) -> Vocabulary:
    """As `build_vocabulary`, from tokens that were counted already: each once, with its count."""
    words = [
        (count, word)
        for word, count in counts
        if count > min_frequency
        and word not in SPECIAL_TOKENS
        and not any(mark in word for mark in "\t\r\n\ufeff")
    ]
    words.sort(reverse=True)
    return Vocabulary(word for _, word in words[: max_size or None])


def _token(line: str, where: str, number: int, with_counts: bool) -> str:
    token, _, count = line.rpartition("\t") if with_counts else (line, "", "0")
    try:
        if "\t" in token:
            raise ValueError
        float(count)
        return token
    except ValueError:
        form = "a token, a tab and a count" if with_counts else "a token alone, without a tab"
        if number > 1:
            form += ", which is the form of line 1; use one form throughout"
        raise UserError(where, f"{reprlib.repr(line)} is not {form}") from None
