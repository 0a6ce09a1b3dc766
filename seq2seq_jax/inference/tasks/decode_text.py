"""The task that says how text is made of tokens."""

import dataclasses
import math
import os
from typing import Annotated

from seq2seq_jax.data.readers.text_lines import read_lines
from seq2seq_jax.data.tokenizers import (
    POSTPROCESSING,
    DelimiterTokenizer,
    Tokenizer,
    find_postprocessing,
)
from seq2seq_jax.data.vocabulary import SEQUENCE_END
from seq2seq_jax.inference.prediction import Hypothesis, Prediction
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.inference.tasks.inference_task import InferenceTask
from seq2seq_jax.inference.tasks.unk_replacement import replace_unknown
from seq2seq_jax.utils.errors import UserError

__all__ = ["DecodeText", "read_mapping"]


class DecodeText(InferenceTask):
    """Joins the tokens of all hypotheses anew."""

    def __init__(
        self,
        delimiter: Annotated[str, "Joins the tokens of an output."] = " ",
        postproc_fn: Annotated[
            str, POSTPROCESSING, "Post-processing of the text; empty: none."
        ] = "",
        unk_replace: Annotated[
            bool, "Replace each UNK by the source token with the highest attention."
        ] = False,
        unk_mapping: Annotated[
            str,
            "File of lines SOURCE<TAB>TARGET: translations that replace UNK instead of the source"
            " token itself.",
        ] = "",
        *,
        key: str = "DecodeText",
    ):
        """
        Args:
          delimiter: between tokens; subwords of the model's own are joined by their own rule.
          postproc_fn: of `data.tokenizers`, applied to the text.
          unk_replace: put the source token of highest attention in UNK's place.
          unk_mapping: file of translations for that, see `read_mapping`.
          key: where these stand in the configuration, for errors.
        """
        if unk_mapping and not unk_replace:
            what = f"is {unk_mapping}, which needs unk_replace to be true"
            raise UserError(f"{key}.unk_mapping", what)
        self.attention = unk_replace
        self._mapping = read_mapping(unk_mapping) if unk_mapping else {}
        self._postprocess = find_postprocessing(postproc_fn, f"{key}.postproc_fn")
        self._tokenizer: Tokenizer = DelimiterTokenizer(delimiter)

    def begin(self, predictor: Predictor) -> None:
        tokenizer = predictor.tokenizers.target
        if not isinstance(tokenizer, DelimiterTokenizer):
            self._tokenizer = tokenizer

    def run(self, number: int, prediction: Prediction) -> Prediction:
        n_best = [self._read(one, prediction.source_tokens) for one in prediction.n_best]
        return dataclasses.replace(prediction, n_best=n_best)

    def _read(self, hypothesis: Hypothesis, source_tokens: list[str]) -> Hypothesis:
        tokens = hypothesis.tokens
        if hypothesis.attention is not None and self.attention:
            ends = source_tokens[-1] == SEQUENCE_END  # one that was cut does not
            words = source_tokens[:-1] if ends else source_tokens
            tokens = replace_unknown(tokens, words, hypothesis.attention, self._mapping)
        text = self._postprocess(self._tokenizer.join(tokens))
        return dataclasses.replace(hypothesis, tokens=tokens, text=text)


def read_mapping(path: str | os.PathLike) -> dict[str, str]:
    """The target word of each source word: lines of source, tab, target.

    A third column is a log-probability, as fast_align's `-p` file has it: of a source's lines the
    likeliest counts then, and otherwise the last.

    Raises:
      UserError: the file cannot be read, or (FILE:LINE) a line is of another form.
    """
    best: dict[str, tuple[float, str]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        source, *rest = (column.strip() for column in line.split("\t"))
        try:
            target, log_prob = rest[0], float(rest[1]) if len(rest) > 1 else math.inf
        except (IndexError, ValueError):
            raise UserError(
                f"{os.fspath(path)}:{number}",
                "not a source word, a tab and a target word, behind which a tab and a"
                " log-probability may stand",
            ) from None
        if source not in best or log_prob >= best[source][0]:
            best[source] = (log_prob, target)
    return {source: target for source, (_, target) in best.items()}
