"""Per-example constraints: how each output begins, and which tokens it may use."""

import os
import reprlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from seq2seq_jax.data.batches import Batch
from seq2seq_jax.data.normalization import normalizes
from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.data.readers.text_lines import check_readable, read_lines
from seq2seq_jax.data.sampler import padded_length
from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizer
from seq2seq_jax.data.vocabulary import SEQUENCE_START, SPECIAL_TOKENS, UNK, Vocabulary
from seq2seq_jax.inference.allowed_outputs import check_prefix_is_allowed
from seq2seq_jax.schema.rules import MAX_LENGTH
from seq2seq_jax.search.output_trie import OutputTrie
from seq2seq_jax.search.search_config import InferenceConfig
from seq2seq_jax.utils.errors import UserError


class ExampleConstraints(NamedTuple):
    """The constraints of N sources, and their seeds, as numbers.

    Attributes:
      vocab_size: V.
      seeds: [N] u32; None: the search does not sample.
      prefixes: N rows of ids; None: no output has a prefix.
      allowed: N lists of ids, None for an output that may use all tokens; None: all outputs may.
    """

    vocab_size: int
    seeds: np.ndarray | None = None
    prefixes: Ragged | None = None
    allowed: Sequence[Sequence[int] | None] | None = None

    def arrays(self, indices: np.ndarray, num_rows: int) -> Batch:
        """Return what a batch has in addition to its sources, as keywords of `Decode`.

        Args:
          indices: [R], the examples in the first rows of the batch.
          num_rows: Number of rows of the batch, at least R.

        Returns:
          Arrays with `num_rows` rows.
        """
        arrays: Batch = {}
        if self.seeds is not None:
            arrays["seeds"] = np.zeros(num_rows, np.uint32)
            arrays["seeds"][: len(indices)] = self.seeds[indices]
        if self.prefixes is not None:
            width = padded_length(int(self.prefixes.lengths.max()))  # the same in all batches
            arrays["prefix_ids"], arrays["prefix_len"] = self.prefixes.padded(
                indices, width, num_rows
            )
        if self.allowed is not None:
            arrays["allowed"] = np.ones((num_rows, self.vocab_size), bool)
            for row, index in enumerate(indices):
                ids = self.allowed[index]
                if ids is not None:
                    arrays["allowed"][row] = False
                    arrays["allowed"][row, list(ids)] = True
        return arrays


def encode_constraints(
    vocabulary: Vocabulary,
    tokenizer: Tokenizer,
    *,
    seeds: np.ndarray | None = None,
    prefixes: Sequence[str | None] | None = None,
    allowed_tokens: Sequence[Collection[str] | None] | None = None,
    max_length: int = MAX_LENGTH,
    trie: OutputTrie | None = None,
) -> ExampleConstraints:
    """Convert constraints from text to ids.

    Args:
      vocabulary: The target vocabulary.
      tokenizer: The target tokenizer.
      seeds: [N] u32, for sampling.
      prefixes: How each output begins.
      allowed_tokens: The tokens that each output may use.
      max_length: The largest length of an output.
      trie: The outputs of `inference.allowed_outputs`; None: all are allowed.

    Returns:
      The constraints. What constrains no output at all is None.

    Raises:
      UserError: A prefix is too long or cannot be part of an output, or a token cannot; or there
        are both allowed tokens and allowed outputs.
    """
    prefix_ids = allowed_ids = None
    if prefixes is not None and any(prefixes):
        token_lists = [tokenizer.split(prefix or "") for prefix in prefixes]
        for index, tokens in enumerate(token_lists):
            check_prefix(tokens, vocabulary, max_length, f"prefixes[{index}]")
            check_prefix_is_allowed(tokens, trie, vocabulary, f"prefixes[{index}]")
        prefix_ids = Ragged.from_rows(map(vocabulary.encode, token_lists))
    if allowed_tokens is not None and any(tokens is not None for tokens in allowed_tokens):
        if trie is not None:
            what = "cannot be combined with inference.allowed_outputs; leave one of them out"
            raise UserError("allowed_tokens", what)
        if isinstance(tokenizer, DelimiterTokenizer) and normalizes(tokenizer.normalization):
            allowed_tokens = [
                None if tokens is None else _normalize_tokens(tokens, vocabulary, tokenizer)
                for tokens in allowed_tokens
            ]
        for index, allowed in enumerate(allowed_tokens):
            check_allowed_tokens(allowed or (), vocabulary, f"allowed_tokens[{index}]")
        allowed_ids = [
            None if tokens is None else vocabulary.encode(tokens) for tokens in allowed_tokens
        ]
    return ExampleConstraints(vocabulary.size, seeds, prefix_ids, allowed_ids)


def _normalize_tokens(
    tokens: Collection[str], vocabulary: Vocabulary, tokenizer: DelimiterTokenizer
) -> list[str]:
    """Replace tokens that the vocabulary has in another normalization form only: é in NFD."""
    normalized: list[str] = []
    for token in tokens:
        known = vocabulary.encode([token]) != [vocabulary.unk_id] or token == UNK
        parts = [] if known else tokenizer.split(token)
        is_known = parts and vocabulary.unk_id not in vocabulary.encode(parts)
        normalized += parts if is_known else [token]
    return normalized


def check_prefix(
    tokens: Iterable[str], vocabulary: Vocabulary, max_length: int, where: str
) -> None:
    """Check that an output can begin with some tokens.

    Args:
      tokens: The tokens of the prefix.
      vocabulary: The target vocabulary.
      max_length: The largest length of an output.
      where: Names the prefix, for the error.

    Raises:
      UserError: There are too many tokens, or one is special or out of vocabulary.
    """
    tokens = list(tokens)
    _check_tokens(tokens, vocabulary, SPECIAL_TOKENS, where)
    if len(tokens) > max_length:
        what = f"has {len(tokens)} tokens, but inference.max_decode_length is {max_length}"
        raise UserError(where, f"{what}; use a shorter prefix")


def check_allowed_tokens(tokens: Iterable[str], vocabulary: Vocabulary, where: str) -> None:
    """Check that an output can contain some tokens, UNK among them.

    Args:
      tokens: The tokens.
      vocabulary: The target vocabulary.
      where: Names the list, for the error.

    Raises:
      UserError: A token is SEQUENCE_START or out of vocabulary.
    """
    _check_tokens(tokens, vocabulary, (SEQUENCE_START,), where)


def _check_tokens(
    tokens: Iterable[str], vocabulary: Vocabulary, refused: Collection[str], where: str
) -> None:
    for token in tokens:
        if token in refused:
            what = f"{token} is a special token, which an output cannot contain; leave it out"
            raise UserError(where, what)
        if vocabulary.encode([token]) == [vocabulary.unk_id] and token != UNK:
            what = f"the token {reprlib.repr(token)} is not in the target vocabulary; leave it out"
            raise UserError(where, what)


class ConstraintFiles:
    """The files `inference.prefix_file` and `inference.allowed_tokens_file`, read line by line.

    An empty line leaves its output unconstrained.
    """

    def __init__(
        self,
        inference: InferenceConfig,
        tokenizer: Tokenizer,
        vocabulary: Vocabulary,
        input_file: str | None = None,
        trie: OutputTrie | None = None,
    ) -> None:
        """Open the files.

        Args:
          inference: Names the files; an empty name: there is none.
          tokenizer: The target tokenizer.
          vocabulary: The target vocabulary.
          input_file: The file of the sources; None: it is not known, as for standard input.
          trie: The outputs of `inference.allowed_outputs`; None: all are allowed.

        Raises:
          UserError: A file cannot be read, or has not as many lines as the input.
        """
        self._tokenizer, self._vocabulary, self._trie = tokenizer, vocabulary, trie
        self._max_length = inference.max_decode_length
        names = {"prefixes": inference.prefix_file, "allowed": inference.allowed_tokens_file}
        for name in filter(None, names.values()):
            check_readable(name, single_pass=True)
        self._names: Mapping[str, str] = {side: name for side, name in names.items() if name}
        if input_file and self._names and os.path.isfile(input_file):
            num_sources = _count_lines(input_file)
            for name in filter(os.path.isfile, self._names.values()):
                _check_count(name, _count_lines(name), num_sources)
        self._lines: Mapping[str, Iterator[str]] = {
            side: read_lines(name, single_pass=True) for side, name in self._names.items()
        }
        self._count = 0

    def read(self, count: int) -> tuple[list[str] | None, list[list[str] | None] | None]:
        """Read the constraints of the next sources.

        Args:
          count: How many sources.

        Returns:
          The arguments `prefixes` and `allowed_tokens` of `Predictor.predict`.

        Raises:
          UserError: A file has fewer lines than there are sources, or (FILE:LINE) a token cannot
            be part of an output.
        """
        prefixes, allowed = (self._take(side, count) for side in ("prefixes", "allowed"))
        token_lists = None
        for number, prefix in enumerate(prefixes or (), start=self._count + 1):
            where = f"{self._names['prefixes']}:{number}"
            tokens = self._tokenizer.split(prefix)
            check_prefix(tokens, self._vocabulary, self._max_length, where)
            check_prefix_is_allowed(tokens, self._trie, self._vocabulary, where)
        if allowed is not None:
            token_lists = [self._tokenizer.split(line) or None for line in allowed]
            for number, allowed_here in enumerate(token_lists, start=self._count + 1):
                where = f"{self._names['allowed']}:{number}"
                check_allowed_tokens(allowed_here or (), self._vocabulary, where)
        self._count += count
        return prefixes, token_lists

    def finish(self) -> None:
        """Check that no line is left when all sources have been read.

        Raises:
          UserError: A file has more lines than there are sources.
        """
        for side, lines in self._lines.items():
            _check_count(self._names[side], self._count + sum(1 for _ in lines), self._count)

    def _take(self, side: str, count: int) -> list[str] | None:
        if side not in self._lines:
            return None
        lines = list(islice(self._lines[side], count))
        if len(lines) < count:
            num_sources = f"at least {self._count + count}"
            _check_count(self._names[side], self._count + len(lines), num_sources)
        return lines


def _count_lines(path: str) -> int:
    return sum(1 for _ in read_lines(path))


def _check_count(name: str, count: int, num_sources: int | str) -> None:
    if count != num_sources:
        what = f"has {count} lines, but the input has {num_sources}; give a line for each source"
        raise UserError(name, f"{what}, empty for an output without constraint")
