"""The base class of text metrics: joins tokens to text, and splits the text again."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, ClassVar

from seq2seq_jax.data.tokenizers import POSTPROCESSING, find_postprocessing

Tokens = Sequence[str]
Sentences = Sequence[Tokens]
"""The tokens of each sentence."""

References = Sequence[Sequence[Tokens]]
"""For each sentence, the tokens of each of its references."""

Results = dict[str, float | str]


@dataclasses.dataclass(frozen=True)
class TextMetric:
    """The base class of the text metrics; a subclass provides `_names` and `_compute`.

    Attributes:
      separator: Joins the tokens of a sentence before post-processing.
      postproc_fn: Post-processing of the text; empty: none.
    """

    separator: str = " "
    postproc_fn: Annotated[str | Callable[[str], str], POSTPROCESSING] = ""

    lower_is_better: ClassVar[bool] = False

    @property
    def result_names(self) -> tuple[str, ...]:
        """The names of the numeric results."""
        return self._names()

    def __call__(self, hypotheses: Sentences, references: References) -> Results:
        """Compute the metric.

        Args:
          hypotheses: The tokens of each sentence.
          references: For each sentence, the tokens of at least one reference.

        Returns:
          The results by name: percentages, and texts such as a signature.
        """
        results = self._compute(hypotheses, references)
        # Rounding errors would make 100.00000000000004 of 100 %.
        return {
            name: round(value, 10) if isinstance(value, float) else value
            for name, value in results.items()
        }

    def _names(self) -> tuple[str, ...]:
        raise NotImplementedError

    def _compute(self, hypotheses: Sentences, references: References) -> Results:
        raise NotImplementedError

    def _to_text(self, tokens: Tokens) -> str:
        text = self.separator.join(tokens)
        if isinstance(self.postproc_fn, str):
            return find_postprocessing(self.postproc_fn)(text)
        return self.postproc_fn(text)

    def _to_texts(
        self, hypotheses: Sentences, references: References
    ) -> tuple[list[str], list[list[str | None]]]:
        """Return the texts as sacreBLEU expects them.

        The references are transposed: one list has the first reference of every sentence, the next
        the second. None stands where a sentence has fewer references.
        """
        streams = [
            [self._to_text(several[i]) if i < len(several) else None for several in references]
            for i in range(max(map(len, references)))
        ]
        return [self._to_text(tokens) for tokens in hypotheses], streams

    def _to_tokens(
        self, hypotheses: Sentences, references: References
    ) -> Iterator[tuple[list[str], list[list[str]]]]:
        """Yield each hypothesis and its references as tokens, split again after post-processing."""

        def split(tokens: Tokens) -> list[str]:
            return self._to_text(tokens).split() if self.postproc_fn else list(tokens)

        for hypothesis, several in zip(hypotheses, references, strict=True):
            yield split(hypothesis), [split(reference) for reference in several]
