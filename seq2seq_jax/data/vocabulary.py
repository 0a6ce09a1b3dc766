"""Vocabularies: the tokens that a model knows, and their ids.

The id of a token is the number of its line in the vocabulary file, from 0. The n tokens are
followed by the special tokens UNK (n), SEQUENCE_START (n + 1) and SEQUENCE_END (n + 2). Padding has
no id; the lengths of rows say what is padding.
"""

import dataclasses
import itertools
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
MAX_CHARACTERS = 1 << 28
"""A larger file is no vocabulary."""

SPECIAL_TOKENS = (UNK, SEQUENCE_START, SEQUENCE_END)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The tokens of a vocabulary and their ids.

    Attributes:
      tokens: The tokens in the order of their ids, without the special tokens.

    Example:
      >>> vocabulary = Vocabulary(["a", "b"])
      >>> vocabulary.encode(["b", "c", "SEQUENCE_END"])
      [1, 2, 4]
      >>> vocabulary.decode([0, 2])
      ['a', 'UNK']
    """

    tokens: tuple[str, ...]
    _names: tuple[str, ...] = dataclasses.field(init=False, repr=False, compare=False)
    _ids: dict[str, int] = dataclasses.field(init=False, repr=False, compare=False)

    def __init__(self, tokens: Iterable[str]) -> None:
        """Number the tokens.

        Args:
          tokens: The tokens in the order of their ids, without the special tokens.

        Raises:
          ValueError: A token occurs twice or is a special token.
        """
        tokens = tuple(tokens)
        names = tokens + SPECIAL_TOKENS
        ids = {name: i for i, name in enumerate(names)}
        if len(ids) != len(names):
            raise ValueError("a token occurs twice or is a special token")
        object.__setattr__(self, "tokens", tokens)
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_ids", ids)

    @property
    def size(self) -> int:
        """The number of ids, including those of the special tokens."""
        return len(self._names)

    @property
    def unk_id(self) -> int:
        """The id of UNK, which stands for all out-of-vocabulary tokens."""
        return len(self.tokens)

    @property
    def sequence_start_id(self) -> int:
        """The id of SEQUENCE_START."""
        return len(self.tokens) + 1

    @property
    def sequence_end_id(self) -> int:
        """The id of SEQUENCE_END."""
        return len(self.tokens) + 2

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Return the ids of tokens.

        Args:
          tokens: Tokens; the name of a special token stands for it.

        Returns:
          One id per token; that of UNK for out-of-vocabulary tokens.
        """
        get, unk = self._ids.get, self.unk_id
        return [get(token, unk) for token in tokens]

    def encode_source(self, tokens: Sequence[str], max_len: int) -> list[int]:
        """Encode a source as its tokens and SEQUENCE_END.

        Args:
          tokens: The tokens of the source.
          max_len: Length to which the row is truncated.

        Returns:
          The ids.

        Example:
          >>> Vocabulary(["a", "b"]).encode_source(["b", "a"], max_len=10)
          [1, 0, 4]
        """
        return [*self.encode(tokens[:max_len]), self.sequence_end_id][:max_len]

    def encode_target(self, tokens: Sequence[str], max_len: int) -> list[int]:
        """Encode a target as SEQUENCE_START, its tokens and SEQUENCE_END.

        Args:
          tokens: The tokens of the target.
          max_len: Length to which the row is truncated.

        Returns:
          The ids.
        """
        ids = [self.sequence_start_id, *self.encode(tokens[:max_len]), self.sequence_end_id]
        return ids[:max_len]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the tokens of ids.

        Args:
          ids: Ids; one that does not exist becomes UNK.

        Returns:
          One token per id; special tokens by name.
        """
        names = self._names
        return [names[i] if 0 <= i < len(names) else UNK for i in ids]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Vocabulary":
        """Read a file with one token per line, or with a token, a tab and a count per line.

        Args:
          path: The name of the file.

        Returns:
          The vocabulary.

        Raises:
          UserError: The file cannot be read or has no tokens, or (FILE:LINE) a line is empty, is
            not UTF-8, does not have the form of the first line, or holds a special token or a
            token of an earlier line.
        """
        name = os.fspath(path)
        first_seen: dict[str, int] = {}
        characters = 0
        with_counts = False
        for number, line in enumerate(read_lines(name), start=1):
            where = f"{name}:{number}"
            characters += len(line)
            if characters > MAX_CHARACTERS:  # A small .gz file can unpack to any size.
                raise UserError(where, f"has more than {MAX_CHARACTERS:,} characters up to here")
            if number == 1:
                with_counts = "\t" in line
            token = _token(line, where, number, with_counts)
            if not token:
                raise UserError(where, "is empty; a vocabulary has one token per line")
            if token in SPECIAL_TOKENS:
                raise UserError(
                    where, f"{token} is a special token, which is always added; remove the line"
                )
            if token in first_seen:
                raise UserError(
                    where, f"the token {reprlib.repr(token)} is also in line {first_seen[token]}"
                )
            first_seen[token] = number
        if not first_seen:
            raise UserError(name, "has no tokens; a vocabulary has one token per line")
        return cls(first_seen)

    def padded(self, multiple: int) -> "Vocabulary":
        """Add unused tokens until the size is a multiple of a number.

        Args:
          multiple: The number.

        Returns:
          The vocabulary, with the additional tokens `<unused-1>`, ... after the others.

        Example:
          >>> Vocabulary(["a", "b"]).padded(4).tokens
          ('a', 'b', '<unused-1>', '<unused-2>', '<unused-3>')
        """
        names = (f"<unused-{number}>" for number in itertools.count(1))
        unused = (name for name in names if name not in self._ids)
        return Vocabulary((*self.tokens, *itertools.islice(unused, -self.size % multiple)))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a file with one token per line, atomically.

        Args:
          path: The name of the file.
        """
        atomic_write(path, "".join(f"{token}\n" for token in self.tokens).encode("utf-8"))


def build_vocabulary(
    token_lists: Iterable[Sequence[str]], min_frequency: int = 0, max_size: int = 0
) -> Vocabulary:
    """Build a vocabulary of the frequent tokens of a text.

    Args:
      token_lists: The tokens of each line, read once.
      min_frequency: A token must occur more often than this.
      max_size: Largest number of tokens; 0: no limit.

    Returns:
      A vocabulary, as `vocabulary_from_counts` returns it.

    Example:
      >>> build_vocabulary([["a", "b", "a"], ["c", "a"]], max_size=2).tokens
      ('a', 'c')
    """
    counts: Counter[str] = Counter()
    for tokens in token_lists:
        counts.update(tokens)
    return vocabulary_from_counts(counts.items(), min_frequency, max_size)


def vocabulary_from_counts(
    counts: Iterable[tuple[str, int]], min_frequency: int = 0, max_size: int = 0
) -> Vocabulary:
    """Build a vocabulary of the most frequent tokens.

    Special tokens in the text keep their meaning. Tokens with a tab, a line end or a byte order
    mark are left out, because a vocabulary file cannot hold them.

    Args:
      counts: Each distinct token with its count.
      min_frequency: A token must occur more often than this.
      max_size: Largest number of tokens; 0: no limit.

    Returns:
      A vocabulary sorted by count and then by token, both descending.
    """
    kept = [
        (count, token)
        for token, count in counts
        if count > min_frequency
        and token not in SPECIAL_TOKENS
        and not any(mark in token for mark in "\t\r\n\ufeff")
    ]
    kept.sort(reverse=True)
    return Vocabulary(token for _, token in kept[: max_size or None])


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
            form += " as in line 1; use one form throughout"
        raise UserError(where, f"{reprlib.repr(line)} is not {form}") from None
