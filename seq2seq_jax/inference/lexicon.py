"""The file `inference.lexicon`: known sources whose outputs a table answers, not the model."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from seq2seq_jax.data.readers.tabular_text import format_of_name, table_rows
from seq2seq_jax.data.tokenizers import Tokenizers
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.inference.predictions import Hypothesis, Prediction
from seq2seq_jax.search.output_trie import OutputTrie
from seq2seq_jax.utils.errors import UserError

LEXICON, MODEL = "lexicon", "model"
"""The origins of a prediction."""


class Lexicon:
    """The outputs of known sources.

    Sources are equal if their tokens and features are equal: what the source tokenizer ignores,
    such as case with `source.lowercase`, does not matter.
    """

    def __init__(self, path: str, tokenizers: Tokenizers) -> None:
        """Read a table.

        Args:
          path: Lines of a source, a tab and an output, plain or .gz; of a model that reads
            features, a third column has these. A name that ends in .csv is read as CSV. A source
            with several outputs has several lines, the best one first. Empty: there is no lexicon.
          tokenizers: Those of the model.

        Raises:
          UserError: The file cannot be read or has no line, or (FILE:LINE) a line has another
            number of columns, or an empty column.
        """
        self._tokenizers = tokenizers
        self._outputs: dict[tuple[tuple[str, ...], ...], list[str]] = {}
        if not path:
            return
        for number, row in table_rows(path, format_of_name(path) or "tsv"):
            where = f"{path}:{number}"
            if len(row) != (3 if tokenizers.features else 2):
                columns = f"has {len(row)} column{'s' * (len(row) != 1)}"
                rule = "a line must be a source, a tab and an output"
                rule += ", and a tab and features" * (tokenizers.features is not None)
                raise UserError(where, f"{columns}; {rule}")
            source, output = tuple(tokenizers.source.split(row[0])), row[1]
            if not source or not tokenizers.target.split(output):
                side = "output" if source else "source"
                raise UserError(where, f"the {side} is empty; write one, or remove the line")
            outputs = self._outputs.setdefault(self._key(row[0], row[-1]), [])
            if output not in outputs:
                outputs.append(output)
        if not self._outputs:
            raise UserError(path, "has no lines; a line must be a source, a tab and an output")

    def __len__(self) -> int:
        """Return the number of different sources."""
        return len(self._outputs)

    def find(self, source: str, features: str = "") -> list[Hypothesis]:
        """Return the outputs of a source.

        Args:
          source: The text.
          features: Its features, if the model reads any.

        Returns:
          The outputs in the order of the file, with log-probability 0; empty if the source is not
          known.
        """
        outputs = self._outputs.get(self._key(source, features), ())
        return [Hypothesis(text, self._tokenizers.target.split(text), 0.0, 0.0) for text in outputs]

    def answers(
        self,
        sources: Sequence[str],
        features: Sequence[str] = (),
        prefixes: Sequence[str | None] | None = None,
        allowed_tokens: Sequence[Collection[str] | None] | None = None,
        trie: OutputTrie | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> dict[int, list[Hypothesis]]:
        """Return the outputs of the known sources that satisfy the constraints of the search.

        Args:
          sources: The texts.
          features: Their features, if the model reads any.
          prefixes: How each output must begin; None: anyhow.
          allowed_tokens: The tokens that each output may use; None: all.
          trie: The allowed outputs; None: all.
          vocabulary: The vocabulary of the trie.

        Returns:
          Index of a source -> its outputs, at least one. The model answers the other sources.
        """
        known = {}
        for index, source in enumerate(sources) if self._outputs else ():
            start = self._tokenizers.target.split((prefixes[index] if prefixes else "") or "")
            tokens = allowed_tokens[index] if allowed_tokens else None
            found = [
                each
                for each in self.find(source, features[index] if features else "")
                if each.tokens[: len(start)] == start
                and (tokens is None or set(each.tokens) <= set(tokens))
                and (trie is None or _is_in(trie, each.tokens, vocabulary))
            ]
            if found:
                known[index] = found
        return known

    def merge(
        self, known: Mapping[int, list[Hypothesis]], predictions: Sequence[Prediction]
    ) -> list[Prediction]:
        """Insert the outputs of known sources, and state the origin of each prediction.

        Args:
          known: What `answers` returned.
          predictions: The predictions of the model, in the order of the sources.

        Returns:
          The predictions; without a lexicon they are unchanged.
        """
        if not self._outputs:
            return list(predictions)
        return [
            replace(prediction, n_best=known[index], origin=LEXICON)
            if index in known
            else replace(prediction, origin=MODEL)
            for index, prediction in enumerate(predictions)
        ]

    def _key(self, source: str, features: str) -> tuple[tuple[str, ...], ...]:
        tokens = tuple(self._tokenizers.source.split(source))
        if self._tokenizers.features is None:
            return (tokens,)
        return tokens, tuple(self._tokenizers.features.split(features))


def _is_in(trie: OutputTrie, tokens: Sequence[str], vocabulary: Vocabulary | None) -> bool:
    assert vocabulary is not None
    return trie.find([*vocabulary.encode(tokens), vocabulary.sequence_end_id]) is not None
