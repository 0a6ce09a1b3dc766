"""Metrics of decoded text, and log perplexity.

A text metric is called with the hypotheses and the references and returns its results by name. All
results except the edit distance are percentages. Tokens are joined by `separator`, passed through
`postproc_fn` and, where a metric needs tokens again, split at white space; no library's tokenizer
is involved.

A user-defined metric class has the same `__call__`. It should also have `result_names`, so that
`best_metric` is checked before training, and `lower_is_better`, without which higher values count
as better.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar

from seq2seq_jax.evaluation.perplexity import perplexity
from seq2seq_jax.evaluation.text_metric import References, Results, Sentences, TextMetric, Tokens
from seq2seq_jax.schema.rules import between, one_of

ROUGE_TYPES = tuple(
    f"rouge_{kind}/{score}"
    for kind in ("1", "2", "l")
    for score in ("f_score", "r_score", "p_score")
)
_ROUGE_KINDS = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}
_ROUGE_SCORES = {"f_score": "fmeasure", "r_score": "recall", "p_score": "precision"}


def text_metrics(metrics: Iterable[Any], hypotheses: Sentences, references: References) -> Results:
    """Compute all text metrics among `metrics`.

    Args:
      metrics: Instances of the classes below, or any callables of the same form. Log perplexity,
        which is not computed from text, is skipped.
      hypotheses: The tokens of each sentence; at least one sentence.
      references: For each sentence, the tokens of at least one reference.

    Returns:
      The results of all metrics by name.

    Raises:
      ValueError: There is no sentence, or a sentence has no reference.

    Example:
      >>> hypotheses, references = [["a", "b"]], [[["a", "c"], ["a", "d"]]]
      >>> text_metrics([ErrorRateMetricSpec()], hypotheses, references)
      {'token_error_rate': 50.0, 'sequence_error_rate': 100.0}
    """
    if not hypotheses or len(hypotheses) != len(references) or not all(references):
        raise ValueError("every hypothesis needs a reference, and there must be one at least")
    results: Results = {}
    for metric in metrics:
        if needs_text(metric):
            results.update(metric(hypotheses, references))
    return results


def needs_text(metric: object) -> bool:
    """Return whether a metric is computed from decoded text.

    Args:
      metric: An instance of a metric class.
    """
    return not isinstance(metric, LogPerplexityMetricSpec)


def lower_is_better(result: str) -> bool:
    """Return whether lower values of a built-in metric's result are better.

    Args:
      result: The name of a result, such as "bleu", or of the result of a group, such as
        "language/macro/bleu". Unknown names count as higher is better.
    """
    return any(result.rpartition("/")[2] in metric.result_names for metric in _LOWER_IS_BETTER)


@dataclasses.dataclass(frozen=True)
class LogPerplexityMetricSpec:
    """The mean negative log probability of a target token in nats, by teacher forcing.

    SEQUENCE_END counts as a token.
    """

    lower_is_better: ClassVar[bool] = True
    result_names: ClassVar[tuple[str, ...]] = ("log_perplexity", "perplexity")

    def __call__(self, loss_sum: float, token_count: float) -> dict[str, float]:
        """Compute the mean over a whole dev set, so that short batches do not count more.

        Args:
          loss_sum: The sum of the negative log probabilities of all tokens.
          token_count: The number of tokens.

        Returns:
          `log_perplexity` and `perplexity`.
        """
        mean = float(loss_sum) / float(token_count)
        return {"log_perplexity": mean, "perplexity": perplexity(mean)}


@dataclasses.dataclass(frozen=True)
class BleuMetricSpec(TextMetric):
    """Corpus BLEU (Papineni et al. 2002) by sacreBLEU, with sacreBLEU's signature.

    Its tokenizer is `none`, so the score compares with multi-bleu.perl on the same tokens, not with
    scores of detokenized text. The result is named `bleu`, or `bleu_n` for another order n.

    Attributes:
      max_ngram_order: Longest n-grams that count; 4 is the usual BLEU.
    """

    max_ngram_order: Annotated[int, between(1, 4)] = 4

    def _names(self) -> tuple[str, ...]:
        return ("bleu" if self.max_ngram_order == 4 else f"bleu_{self.max_ngram_order}",)

    def _compute(self, hypotheses: Sentences, references: References) -> Results:
        from sacrebleu.metrics.bleu import BLEU

        texts, streams = self._to_texts(hypotheses, references)
        # force: do not warn that the text looks tokenized; it is.
        bleu = BLEU(tokenize="none", force=True, max_ngram_order=self.max_ngram_order)
        score = bleu.corpus_score(texts, streams)  # type: ignore[arg-type]
        (name,) = self._names()
        return {name: score.score, f"{name}_signature": str(bleu.get_signature())}


@dataclasses.dataclass(frozen=True)
class ChrfMetricSpec(TextMetric):
    """Corpus chrF2 (Popović 2015) by sacreBLEU: the F-score of n-grams of 1 to 6 characters.

    It gives credit for words that are nearly right and so distinguishes short texts for which BLEU
    is zero. With several references, the nearest one counts. The result is named `chrf`, or
    `chrf++` for words and pairs of words in addition to characters (Popović 2017).

    Attributes:
      word_order: Longest n-grams of words that count; 2 is chrF++.
    """

    word_order: Annotated[int, between(0, 2)] = 0

    def _names(self) -> tuple[str, ...]:
        return (f"chrf{'+' * self.word_order}",)

    def _compute(self, hypotheses: Sentences, references: References) -> Results:
        from sacrebleu.metrics.chrf import CHRF

        texts, streams = self._to_texts(hypotheses, references)
        chrf = CHRF(word_order=self.word_order)
        score = chrf.corpus_score(texts, streams)  # type: ignore[arg-type]
        (name,) = self._names()
        return {name: score.score, f"{name}_signature": str(chrf.get_signature())}


@dataclasses.dataclass(frozen=True)
class TerMetricSpec(TextMetric):
    """The translation edit rate (Snover et al. 2006) by sacreBLEU, of tokens as they are.

    It is the number of insertions, deletions, substitutions and shifts of phrases, divided by the
    mean length of the references. With several references, the nearest one counts.
    """

    lower_is_better: ClassVar[bool] = True

    def _names(self) -> tuple[str, ...]:
        return ("ter",)

    def _compute(self, hypotheses: Sentences, references: References) -> Results:
        from sacrebleu.metrics.ter import TER

        texts, streams = self._to_texts(hypotheses, references)
        ter = TER(case_sensitive=True)
        score = ter.corpus_score(texts, streams)  # type: ignore[arg-type]
        return {"ter": score.score, "ter_signature": str(ter.get_signature())}


@dataclasses.dataclass(frozen=True)
class RougeMetricSpec(TextMetric):
    """ROUGE (Lin 2004) by rouge-score, the mean over sentences; the best of several references.

    Attributes:
      rouge_type: Which ROUGE, and its F1 score (f), recall (r) or precision (p).
    """

    rouge_type: Annotated[str, one_of(*ROUGE_TYPES)] = "rouge_1/f_score"

    def _names(self) -> tuple[str, ...]:
        return (self.rouge_type,)

    def _compute(self, hypotheses: Sentences, references: References) -> Results:
        # rouge-score imports nltk and scipy, which takes more than a second.
        from rouge_score.rouge_scorer import RougeScorer

        kind, _, score_name = self.rouge_type.partition("/")
        scorer = RougeScorer([_ROUGE_KINDS[kind]], tokenizer=_WhiteSpaceTokenizer())
        total = 0.0
        for tokens, several in zip(hypotheses, references, strict=True):
            scores = scorer.score_multi(list(map(self._to_text, several)), self._to_text(tokens))
            total += getattr(scores[_ROUGE_KINDS[kind]], _ROUGE_SCORES[score_name])
        return {self.rouge_type: 100.0 * total / len(hypotheses)}


@dataclasses.dataclass(frozen=True)
class AccuracyMetricSpec(TextMetric):
    """The percentages of correct tokens and of correct sentences.

    A token is correct if the reference has the same one at the same position. Positions past the
    end of the shorter of the two are wrong. Of several references, the one with the largest share
    of correct positions counts.
    """

    def _names(self) -> tuple[str, ...]:
        return ("token_accuracy", "sequence_accuracy")

    def _compute(self, hypotheses: Sentences, references: References) -> Results:
        correct = positions = sentences = 0
        for hypothesis, several in self._to_tokens(hypotheses, references):
            matches, length = max(
                (_count_matches(hypothesis, reference) for reference in several),
                key=lambda pair: pair[0] / max(pair[1], 1),
            )
            correct += matches
            positions += length
            sentences += hypothesis in several
        return {
            "token_accuracy": 100.0 * correct / max(positions, 1),
            "sequence_accuracy": 100.0 * sentences / len(hypotheses),
        }


@dataclasses.dataclass(frozen=True)
class ErrorRateMetricSpec(TextMetric):
    """The token and the sequence error rate, against the nearest of several references.

    For phones these are the phone and the word error rate of grapheme-to-phoneme conversion, for
    words the word and the sentence error rate of speech recognition. Errors are insertions,
    deletions and substitutions (Levenshtein 1966), divided by the length of the references. Of
    references equally near, the longest counts. The token error rate can exceed 100.
    """

    lower_is_better: ClassVar[bool] = True

    def _names(self) -> tuple[str, ...]:
        return ("token_error_rate", "sequence_error_rate")

    def _compute(self, hypotheses: Sentences, references: References) -> Results:
        errors = tokens = wrong = 0
        for hypothesis, several in self._to_tokens(hypotheses, references):
            distance, length = nearest_reference(hypothesis, several)
            errors += distance
            tokens += length
            wrong += distance > 0
        return {
            "token_error_rate": 100.0 * errors / max(tokens, 1),
            "sequence_error_rate": 100.0 * wrong / len(hypotheses),
        }


@dataclasses.dataclass(frozen=True)
class EditDistanceMetricSpec(TextMetric):
    """The mean edit distance (Levenshtein 1966) of the outputs to their nearest references.

    It counts the tokens to insert, delete or substitute in an output; it is not a percentage.
    """

    lower_is_better: ClassVar[bool] = True

    def _names(self) -> tuple[str, ...]:
        return ("edit_distance",)

    def _compute(self, hypotheses: Sentences, references: References) -> Results:
        pairs = self._to_tokens(hypotheses, references)
        total = sum(nearest_reference(hypothesis, several)[0] for hypothesis, several in pairs)
        return {"edit_distance": total / len(hypotheses)}


def nearest_reference(hypothesis: Tokens, references: Sequence[Tokens]) -> tuple[int, int]:
    """Return the edit distance to the nearest reference, and the length of that reference.

    Args:
      hypothesis: The tokens of an output.
      references: The tokens of each reference; of those equally near, the longest counts.

    Example:
      >>> nearest_reference("kat", ["cats", "bat"])
      (1, 3)
    """
    from rapidfuzz.distance import Levenshtein

    distance, minus_length = min(
        (Levenshtein.distance(hypothesis, reference), -len(reference)) for reference in references
    )
    return distance, -minus_length


_LOWER_IS_BETTER = (
    LogPerplexityMetricSpec(),
    TerMetricSpec(),
    ErrorRateMetricSpec(),
    EditDistanceMetricSpec(),
)


class _WhiteSpaceTokenizer:
    """Replaces rouge-score's own tokenizer, which drops everything but a-z and 0-9."""

    def tokenize(self, text: str) -> list[str]:
        return text.split()


def _count_matches(hypothesis: Tokens, reference: Tokens) -> tuple[int, int]:
    """Return the number of equal positions and the number of positions."""
    same = sum(a == b for a, b in zip(hypothesis, reference, strict=False))
    return same, max(len(hypothesis), len(reference))
