"""Metrics of decoded text, and log perplexity.

A metric of text is called with

  hypotheses: one list of tokens a sentence,
  references: for each sentence one or more lists of tokens, each of them right,

and returns its results by name. Everything is in percent: BLEU, ROUGE, accuracies, error rates.

Where text is needed, tokens are joined by `separator`, then given to `postproc_fn` (a function from
text to text, `strip_bpe` say), and split again at white space: no tokenizer of a library comes in
between.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from seq2seq_jax.utils.errors import UserError

__all__ = [
    "AccuracyMetricSpec",
    "BleuMetricSpec",
    "ChrfMetricSpec",
    "ErrorRateMetricSpec",
    "LogPerplexityMetricSpec",
    "RougeMetricSpec",
]

Tokens = Sequence[str]
Results = dict[str, float | str]


def text_metrics(
    specs: Iterable[Any],
    hypotheses: Sequence[Tokens],
    references: Sequence[Sequence[Tokens]],
) -> Results:
    """The results of all metrics of text among `specs`.

    Args:
      specs: instances of the classes below, or any callable of the same form; log perplexity, which
        takes no text, is passed over.
      hypotheses: one list of tokens a sentence, at least one sentence.
      references: for each sentence at least one list of tokens.
    """
    if not hypotheses or len(hypotheses) != len(references) or not all(references):
        raise ValueError("every hypothesis needs a reference, and there must be one at least")
    results: Results = {}
    for spec in specs:
        if needs_text(spec):
            results.update(spec(hypotheses, references))
    return results


def needs_text(spec: Any) -> bool:
    """Whether a metric is of decoded text; without any such, decoding can be left out."""
    return not isinstance(spec, LogPerplexityMetricSpec)


@dataclasses.dataclass(frozen=True)
class LogPerplexityMetricSpec:
    """Mean negative log probability of a target token, END included, in nats; teacher-forced."""

    def __call__(self, loss_sum: float, token_count: float) -> dict[str, float]:
        """Divides once, over the whole dev set: no batch counts more for being short."""
        mean = float(loss_sum) / float(token_count)
        # 709 nats is where a float ends.
        return {"log_perplexity": mean, "perplexity": math.exp(min(mean, 709.0))}


@dataclasses.dataclass(frozen=True)
class BleuMetricSpec:
    """Corpus BLEU (Papineni et al. 2002) by sacreBLEU, with the signature that says what it is.

    Its tokenizer is `none`: the score is that of the tokens as they are, comparable with
    multi-bleu.perl on the same tokens, not with scores of detokenized text.

    Args:
      max_ngram_order: 4 is what everybody means by BLEU. Of captions BLEU-1 to BLEU-4 are told, all
        of one set of results: of another order n the result's name is `bleu_n`.
    """

    separator: str = " "
    postproc_fn: Callable[[str], str] | None = None
    max_ngram_order: int = 4

    def __call__(
        self, hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
    ) -> Results:
        texts, streams = _streams(hypotheses, references, self.separator, self.postproc_fn)
        # force: do not warn that the text looks tokenized; it is.
        bleu = BLEU(tokenize="none", force=True, max_ngram_order=self.max_ngram_order)
        score = bleu.corpus_score(texts, streams)  # type: ignore[arg-type]
        name = "bleu" if self.max_ngram_order == 4 else f"bleu_{self.max_ngram_order}"
        return {name: score.score, f"{name}_signature": str(bleu.get_signature())}


@dataclasses.dataclass(frozen=True)
class ChrfMetricSpec:
    """Corpus chrF2 (Popović 2015) by sacreBLEU: F-score of n-grams of 1 to 6 characters.

    It gives credit for words that are nearly right, and so tells short texts apart, of which BLEU
    finds most wholly wrong. Of several references the nearest counts.
    """

    separator: str = " "
    postproc_fn: Callable[[str], str] | None = None

    def __call__(
        self, hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
    ) -> Results:
        texts, streams = _streams(hypotheses, references, self.separator, self.postproc_fn)
        chrf = CHRF()
        score = chrf.corpus_score(texts, streams)  # type: ignore[arg-type]
        return {"chrf": score.score, "chrf_signature": str(chrf.get_signature())}


@dataclasses.dataclass(frozen=True)
class RougeMetricSpec:
    """ROUGE (Lin 2004) by rouge-score, the mean over sentences; best reference of several.

    Args:
      rouge_type: `rouge_1`, `rouge_2` or `rouge_l`, then `/f_score`, `/r_score` or `/p_score`
        (F1, recall, precision).
    """

    rouge_type: str = "rouge_1/f_score"
    separator: str = " "
    postproc_fn: Callable[[str], str] | None = None

    def __post_init__(self) -> None:
        kind, _, part = self.rouge_type.partition("/")
        if kind not in _ROUGE_KINDS or part not in _ROUGE_PARTS:
            raise UserError(
                "metrics.RougeMetricSpec.params.rouge_type",
                f"must be one of {', '.join(_ROUGE_KINDS)}, a slash and one of "
                f"{', '.join(_ROUGE_PARTS)}; not {self.rouge_type!r}",
            )

    def __call__(
        self, hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
    ) -> Results:
        # Imported here because it brings nltk and scipy: over a second that few runs need.
        from rouge_score.rouge_scorer import RougeScorer

        kind, _, part = self.rouge_type.partition("/")
        scorer = RougeScorer([_ROUGE_KINDS[kind]], tokenizer=_WhiteSpace())
        total = 0.0
        for tokens, several in zip(hypotheses, references, strict=True):
            texts = [_text(reference, self.separator, self.postproc_fn) for reference in several]
            scores = scorer.score_multi(texts, _text(tokens, self.separator, self.postproc_fn))
            total += getattr(scores[_ROUGE_KINDS[kind]], _ROUGE_PARTS[part])
        return {self.rouge_type: 100.0 * total / len(hypotheses)}


@dataclasses.dataclass(frozen=True)
class AccuracyMetricSpec:
    """Percentage of sentences, and of tokens, that are right.

    A token is right if the reference has the same one at the same position; positions past the end
    of the shorter of the two are wrong. Of several references the one with the largest share of
    right positions counts.
    """

    separator: str = " "
    postproc_fn: Callable[[str], str] | None = None

    def __call__(
        self, hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
    ) -> Results:
        right = positions = sentences = 0
        for hypothesis, several in _token_lists(
            hypotheses, references, self.separator, self.postproc_fn
        ):
            matches, length = max(
                (_matches(hypothesis, reference) for reference in several),
                key=lambda pair: pair[0] / max(pair[1], 1),
            )
            right += matches
            positions += length
            sentences += hypothesis in several
        return {
            "token_accuracy": 100.0 * right / max(positions, 1),
            "sequence_accuracy": 100.0 * sentences / len(hypotheses),
        }


@dataclasses.dataclass(frozen=True)
class ErrorRateMetricSpec:
    """Token and sequence error rate in percent, against the nearest of several references.

    Of phones these are the phone and the word error rate of pronunciation, of words the word and
    the sentence error rate of speech recognition. Errors are insertions, deletions and
    substitutions (Levenshtein 1966), divided by the length of the references they were counted
    against; of references equally near the longest. The rate can exceed 100.
    """

    separator: str = " "
    postproc_fn: Callable[[str], str] | None = None

    def __call__(
        self, hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
    ) -> Results:
        errors = tokens = wrong = 0
        for hypothesis, several in _token_lists(
            hypotheses, references, self.separator, self.postproc_fn
        ):
            distance, minus_length = min(
                (Levenshtein.distance(hypothesis, reference), -len(reference))
                for reference in several
            )
            errors += distance
            tokens -= minus_length
            wrong += distance > 0
        return {
            "token_error_rate": 100.0 * errors / max(tokens, 1),
            "sequence_error_rate": 100.0 * wrong / len(hypotheses),
        }


_ROUGE_KINDS = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}
_ROUGE_PARTS = {"f_score": "fmeasure", "r_score": "recall", "p_score": "precision"}


class _WhiteSpace:
    """The tokenizer that rouge-score is given, in place of its own that drops all but a-z0-9."""

    def tokenize(self, text: str) -> list[str]:
        return text.split()


def _text(tokens: Tokens, separator: str, postproc_fn: Callable[[str], str] | None) -> str:
    text = separator.join(tokens)
    return postproc_fn(text) if postproc_fn else text


def _streams(
    hypotheses: Sequence[Tokens],
    references: Sequence[Sequence[Tokens]],
    separator: str,
    postproc_fn: Callable[[str], str] | None,
) -> tuple[list[str], list[list[str | None]]]:
    """Hypotheses and references as sacreBLEU wants them: one stream for the first reference of all
    sentences, one for the second, and None where a sentence has fewer."""
    texts = [_text(tokens, separator, postproc_fn) for tokens in hypotheses]
    streams: list[list[str | None]] = [
        [
            _text(several[i], separator, postproc_fn) if i < len(several) else None
            for several in references
        ]
        for i in range(max(map(len, references)))
    ]
    return texts, streams


def _token_lists(
    hypotheses: Sequence[Tokens],
    references: Sequence[Sequence[Tokens]],
    separator: str,
    postproc_fn: Callable[[str], str] | None,
) -> Iterable[tuple[list[str], list[list[str]]]]:
    """Hypothesis and references as tokens: as they are, or split anew after `postproc_fn`."""

    def tokens_of(tokens: Tokens) -> list[str]:
        return _text(tokens, separator, postproc_fn).split() if postproc_fn else list(tokens)

    for hypothesis, several in zip(hypotheses, references, strict=True):
        yield tokens_of(hypothesis), [tokens_of(reference) for reference in several]


def _matches(hypothesis: Tokens, reference: Tokens) -> tuple[int, int]:
    """Equal positions, and positions."""
    same = sum(a == b for a, b in zip(hypothesis, reference, strict=False))
    return same, max(len(hypothesis), len(reference))
