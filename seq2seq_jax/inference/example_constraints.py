"""Per-example constraints: how each output begins, and which tokens it may use."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from seq2seq_jax.data.batches import Batch
from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.data.readers.text_lines import check_readable, read_lines
from seq2seq_jax.data.sampler import padded_length
from seq2seq_jax.data.tokenizers import Tokenizer
from seq2seq_jax.data.vocabulary import Vocabulary
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
) -> ExampleConstraints:
    """Convert constraints from text to ids.

    Args:
      vocabulary: The target vocabulary.
      tokenizer: The target tokenizer.
      seeds: [N] u32, for sampling.
      prefixes: How each output begins.
      allowed_tokens: The tokens that each output may use; those outside the vocabulary are ignored.

    Returns:
      The constraints. What constrains no output at all is None.
    """
    prefix_ids = allowed_ids = None
    if prefixes is not None and any(prefixes):
        prefix_ids = Ragged.from_rows(
            vocabulary.encode(tokenizer.split(prefix or "")) for prefix in prefixes
        )
    if allowed_tokens is not None and any(tokens is not None for tokens in allowed_tokens):
        ids = {token: i for i, token in enumerate(vocabulary.decode(range(vocabulary.size)))}
        allowed_ids = [
            None if tokens is None else [ids[token] for token in tokens if token in ids]
            for tokens in allowed_tokens
        ]
    return ExampleConstraints(vocabulary.size, seeds, prefix_ids, allowed_ids)


class ConstraintFiles:
    """The files `inference.prefix_file` and `inference.allowed_tokens_file`, read line by line.

    An empty line leaves its output unconstrained.
    """

    def __init__(self, inference: InferenceConfig, tokenizer: Tokenizer) -> None:
        """Open the files.

        Args:
          inference: Names the files; an empty name: there is none.
          tokenizer: The target tokenizer.

        Raises:
          UserError: A file cannot be read.
        """
        self._tokenizer = tokenizer
        names = {"prefixes": inference.prefix_file, "allowed": inference.allowed_tokens_file}
        for name in filter(None, names.values()):
            check_readable(name, single_pass=True)
        self._names: Mapping[str, str] = {side: name for side, name in names.items() if name}
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
          UserError: A file has fewer lines than there are sources.
        """
        prefixes, allowed = (self._take(side, count) for side in ("prefixes", "allowed"))
        self._count += count
        if allowed is None:
            return prefixes, None
        return prefixes, [self._tokenizer.split(line) or None for line in allowed]

    def _take(self, side: str, count: int) -> list[str] | None:
        if side not in self._lines:
            return None
        lines = list(islice(self._lines[side], count))
        if len(lines) < count:
            raise UserError(
                self._names[side],
                f"has {self._count + len(lines)} lines, but the input has more; give a line for"
                " each, empty for an output without constraint",
            )
        return lines
