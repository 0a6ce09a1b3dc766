"""The task that joins tokens to text in another way."""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np

from seq2seq_jax.data.languages import TaggedTokenizer
from seq2seq_jax.data.readers.text_lines import read_lines
from seq2seq_jax.data.tokenizers import (
    POSTPROCESSING,
    DelimiterTokenizer,
    Tokenizer,
    find_postprocessing,
)
from seq2seq_jax.data.vocabulary import SEQUENCE_END, UNK
from seq2seq_jax.inference.predictions import Hypothesis, Prediction, merge_equal_texts
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.inference.tasks.inference_task import InferenceTask
from seq2seq_jax.utils.errors import UserError


class DecodeText(InferenceTask):
    """Joins the tokens of all hypotheses to text again, and can replace UNK."""

    def __init__(
        self,
        delimiter: str = " ",
        postproc_fn: Annotated[str, POSTPROCESSING] = "",
        unk_replace: bool = False,
        unk_mapping: str = "",
        *,
        key: str = "DecodeText",
    ) -> None:
        """Initialize the task.

        Args:
          delimiter: Joins the tokens of an output.
          postproc_fn: Post-processing of the text; empty: none.
          unk_replace: Replace each UNK by the source token with the highest attention.
          unk_mapping: File of lines SOURCE<TAB>TARGET: translations that replace UNK instead of the
            source token itself.
          key: Dotted key of these parameters, for errors.

        Raises:
          UserError: A parameter is wrong, or the file cannot be read.
        """
        if unk_mapping and not unk_replace:
            what = f"is {unk_mapping}, which needs unk_replace to be true"
            raise UserError(f"{key}.unk_mapping", what)
        self.needs_attention = unk_replace
        self._mapping = read_mapping(unk_mapping) if unk_mapping else {}
        self._postprocess = find_postprocessing(postproc_fn, f"{key}.postproc_fn")
        self._delimiter = delimiter
        self._tokenizer: Tokenizer = DelimiterTokenizer(delimiter)
        self._merges, self._is_tagged = True, False

    def begin(self, predictor: Predictor) -> None:
        """Take over the tokenizer of the model; of words, with the delimiter of this task.

        Args:
          predictor: Has the tokenizer.
        """
        self._merges = not predictor.inference.sampling.enable
        tokenizer = predictor.tokenizers.target
        if isinstance(tokenizer, DelimiterTokenizer):
            tokenizer = dataclasses.replace(tokenizer, delimiter=self._delimiter)
        self._tokenizer = tokenizer
        self._is_tagged = isinstance(predictor.tokenizers.source, TaggedTokenizer)

    def run(self, number: int, prediction: Prediction) -> Prediction:
        """Join the tokens of all hypotheses.

        Args:
          number: Number of the source.
          prediction: The prediction.

        Returns:
          The prediction with other texts and, where UNK is replaced, other tokens.
        """
        n_best = [self._join(one, prediction.source_tokens) for one in prediction.n_best]
        if self._merges:  # Post-processing can make texts equal.
            n_best = merge_equal_texts(n_best)
        return dataclasses.replace(prediction, n_best=n_best)

    def _join(self, hypothesis: Hypothesis, source_tokens: list[str]) -> Hypothesis:
        tokens = hypothesis.tokens
        if hypothesis.attention is not None and self.needs_attention:
            has_end = source_tokens[-1] == SEQUENCE_END  # A truncated source has none.
            candidates = source_tokens[:-1] if has_end else source_tokens
            first = int(self._is_tagged)  # The tag of a language replaces nothing.
            weights = hypothesis.attention[:, first:]
            tokens = replace_unknown(tokens, candidates[first:], weights, self._mapping)
        text = self._postprocess(self._tokenizer.join(tokens))
        return dataclasses.replace(hypothesis, tokens=tokens, text=text)


def replace_unknown(
    tokens: Sequence[str],
    source_tokens: Sequence[str],
    attention: np.ndarray,
    mapping: Mapping[str, str] | None = None,
) -> list[str]:
    """Replace each UNK by the source token with the highest attention (arXiv:1410.8206).

    Args:
      tokens: T tokens of the output.
      source_tokens: S tokens, without SEQUENCE_END, which never replaces UNK.
      attention: [T', S'], with T' >= T and S' >= S, the attention weights of each token.
      mapping: Translations of source tokens, which replace UNK instead.

    Returns:
      T tokens.

    Example:
      >>> replace_unknown(["UNK", "b"], ["x", "y"], np.array([[0.1, 0.9], [0.5, 0.5]]))
      ['y', 'b']
    """
    mapping = mapping or {}
    best = np.argmax(attention[: len(tokens), : len(source_tokens)], axis=-1)
    sources = [source_tokens[i] for i in best]
    return [
        mapping.get(source, source) if token == UNK else token
        for token, source in zip(tokens, sources, strict=True)
    ]


def read_mapping(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read a file of translations: lines of source, tab, target.

    A third column is a log-probability, as in fast_align's `-p` file; then the most likely of the
    lines of a source counts, and otherwise the last.

    Args:
      path: The file.

    Returns:
      The target token of each source token.

    Raises:
      UserError: The file cannot be read, or (FILE:LINE) a line has another format.
    """
    best: dict[str, tuple[float, str]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        source, *rest = (column.strip() for column in line.split("\t"))
        try:
            target, log_prob = rest[0], float(rest[1]) if len(rest) > 1 else math.inf
        except (IndexError, ValueError):
            raise UserError(
                f"{os.fspath(path)}:{number}",
                "must be a source token, a tab and a target token, optionally followed by a tab and"
                " a log-probability",
            ) from None
        if source not in best or log_prob >= best[source][0]:
            best[source] = (log_prob, target)
    return {source: target for source, (_, target) in best.items()}
