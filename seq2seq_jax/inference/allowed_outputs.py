"""The file `inference.allowed_outputs`: the only outputs that a search may find."""

import logging
import reprlib
from collections import Counter
from collections.abc import Iterator, Sequence

from seq2seq_jax.data.readers.text_lines import read_lines
from seq2seq_jax.data.tokenizers import Tokenizer
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.search.output_trie import OutputTrie, build_output_trie
from seq2seq_jax.search.search_config import InferenceConfig
from seq2seq_jax.utils.errors import UserError, quantity

_log = logging.getLogger(__name__)


def load_allowed_outputs(
    inference: InferenceConfig, tokenizer: Tokenizer, vocabulary: Vocabulary
) -> OutputTrie | None:
    """Read the list of allowed outputs, one a line.

    Empty lines are ignored, and equal outputs count once. Outputs that the search cannot find are
    left out with a warning: those with a token outside of the target vocabulary, and those that
    `max_decode_length`, `min_decode_length` or `no_repeat_ngram_size` forbid.

    Args:
      inference: Names the file; an empty name: there is no list.
      tokenizer: The target tokenizer.
      vocabulary: The target vocabulary.

    Returns:
      The outputs as a trie; None without a list.

    Raises:
      UserError: The file cannot be read, or holds no output that the search can find.
    """
    path = inference.allowed_outputs
    if not path:
        return None
    reasons: Counter[str] = Counter()
    examples: dict[str, str] = {}
    total = 0

    def usable() -> Iterator[list[int]]:
        nonlocal total
        for number, line in enumerate(read_lines(path), start=1):
            tokens = tokenizer.split(line)
            if not tokens:
                continue
            total += 1
            ids = vocabulary.encode(tokens)
            if reason := _obstacle(tokens, ids, inference, vocabulary):
                what, example = reason
                reasons[what] += 1
                examples.setdefault(what, f"{path}:{number}{example}")
            else:
                yield ids

    outputs = usable()
    first = next(outputs, None)
    if first is None:
        why = next((f"{what} ({examples[what]})" for what in reasons), "it has only empty lines")
        raise UserError(path, f"has no output that the search can find: {why}; use other outputs")
    trie = build_output_trie(_chain(first, outputs), vocabulary.sequence_end_id)
    for what, count in reasons.items():
        left_out = f"{count:,} of {quantity(total, 'output')} {'is' if count == 1 else 'are'}"
        _log.warning("%s left out, because %s; the first is %s", left_out, what, examples[what])
    return trie


def allowed_outputs_key(inference: InferenceConfig) -> tuple[object, ...]:
    """Return what the outputs that `load_allowed_outputs` returns depend on.

    Args:
      inference: The keys.
    """
    return (
        *("allowed outputs", inference.allowed_outputs, inference.max_decode_length),
        *(inference.min_decode_length, inference.no_repeat_ngram_size),
    )


def check_prefix_is_allowed(
    tokens: Sequence[str], trie: OutputTrie | None, vocabulary: Vocabulary, where: str
) -> None:
    """Check that an allowed output begins with a prefix.

    Args:
      tokens: The tokens of the prefix.
      trie: The allowed outputs; None: all.
      vocabulary: The target vocabulary.
      where: Names the prefix, for the error.

    Raises:
      UserError: No output does.
    """
    if trie is not None and trie.find(vocabulary.encode(tokens)) is None:
        what = f"no output of inference.allowed_outputs begins with {reprlib.repr(list(tokens))}"
        raise UserError(where, f"{what}; use another prefix, or leave it out")


def _obstacle(
    tokens: Sequence[str], ids: Sequence[int], inference: InferenceConfig, vocabulary: Vocabulary
) -> tuple[str, str] | None:
    """Return why the search cannot find an output, and what is wrong in it; None if it can."""
    for token, token_id in zip(tokens, ids, strict=True):
        if token_id >= vocabulary.unk_id:
            what = "a token is not in the target vocabulary"
            return what, f" with {reprlib.repr(token)}"
    most, least = inference.max_decode_length - 1, inference.min_decode_length
    if len(ids) > most:
        return (
            f"inference.max_decode_length={most + 1} allows {quantity(most, 'token')} and the end",
            f" with {len(ids)}",
        )
    if len(ids) < least:
        what = f"inference.min_decode_length requires {quantity(least, 'token')}"
        return what, f" with {len(ids)}"
    size = inference.no_repeat_ngram_size
    ngrams = [tuple(ids[i : i + size]) for i in range(len(ids) - size + 1)] if size else []
    if len(set(ngrams)) < len(ngrams):
        return f"inference.no_repeat_ngram_size={size} forbids it", ""
    return None


def _chain(first: list[int], others: Iterator[list[int]]) -> Iterator[list[int]]:
    yield first
    yield from others
