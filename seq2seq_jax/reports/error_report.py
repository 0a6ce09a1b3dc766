"""A model's errors on a set of pairs: by length, sentence by sentence, token by token.

Errors are those of the edit distance (Levenshtein 1966) to the nearest reference: substitutions,
insertions (tokens too many) and deletions (tokens that are missing).
"""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from seq2seq_jax.reports.html_page import finite, write_page

Tokens = Sequence[str]
Measure = Callable[[Sequence[Tokens], Sequence[Sequence[Tokens]]], dict[str, float]]
"""(hypotheses, references) -> the value of each metric."""


class Edit(NamedTuple):
    """A place of the alignment.

    Attributes:
      reference: the token of the reference, "" where the hypothesis has one too many.
      hypothesis: the token of the hypothesis, "" where it lacks one.
    """

    reference: str
    hypothesis: str


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A source, its best hypothesis, and the alignment with the nearest reference.

    Attributes:
      score: what the model gave the hypothesis; None if it is not known.
    """

    source: Tokens
    hypothesis: Tokens
    reference: Tokens
    edits: list[Edit]
    score: float | None

    @property
    def errors(self) -> int:
        return sum(edit.reference != edit.hypothesis for edit in self.edits)

    @property
    def error_rate(self) -> float:
        """Percent of the reference's length; can exceed 100."""
        return 100.0 * self.errors / max(len(self.reference), 1)


class LengthBucket(NamedTuple):
    """The sentences whose sources have `shortest` to `longest` tokens.

    Attributes:
      length_ratio: tokens of the hypotheses / tokens of the references.
      metrics: name -> result on these sentences alone.
    """

    shortest: int
    longest: int
    sentences: int
    length_ratio: float
    metrics: dict[str, float]


@dataclasses.dataclass(frozen=True)
class ErrorReport:
    """What `error_report` finds.

    Attributes:
      sentences: the worst first.
      metrics: on all sentences.
      buckets: from short sources to long ones.
      substitutions: (reference's token, hypothesis's token) -> how often.
      insertions, deletions, reference_tokens: token -> how often.
    """

    sentences: list[Sentence]
    metrics: dict[str, float]
    buckets: list[LengthBucket]
    substitutions: Counter[tuple[str, str]]
    insertions: Counter[str]
    deletions: Counter[str]
    reference_tokens: Counter[str]


def error_report(
    sources: Sequence[Tokens],
    hypotheses: Sequence[Tokens],
    references: Sequence[Sequence[Tokens]],
    measure: Measure,
    scores: Sequence[float] | None = None,
    max_buckets: int = 8,
) -> ErrorReport:
    """Compare hypotheses with references.

    Args:
      sources: One list of tokens per sentence; at least one sentence.
      hypotheses: One list of tokens per sentence.
      references: For each sentence one or more lists of tokens, all of them correct.
      measure: Computes the metrics of all sentences, and of those of similar length.
      scores: The scores of the hypotheses, if they are to be shown.
      max_buckets: The maximum number of length buckets; all have about the same size.

    Returns:
      The errors, sorted by their frequency, and the metrics.

    Raises:
      ValueError: The arguments differ in length.
    """
    if not len(sources) == len(hypotheses) == len(references):
        raise ValueError("sources, hypotheses and references differ in number")
    given = scores if scores is not None else itertools.repeat(None)
    sentences = [
        _aligned(source, hypothesis, several, score)
        for source, hypothesis, several, score in zip(
            sources, hypotheses, references, given, strict=scores is not None
        )
    ]
    edits = Counter(edit for sentence in sentences for edit in sentence.edits)
    return ErrorReport(
        # Of sentences equally wrong the longer says more.
        sentences=sorted(sentences, key=lambda s: (-s.error_rate, -s.errors)),
        metrics=measure(hypotheses, references),
        buckets=_by_length(sentences, references, measure, max_buckets),
        substitutions=Counter(
            {(r, h): n for (r, h), n in edits.items() if r and h and r != h},
        ),
        insertions=Counter({h: n for (r, h), n in edits.items() if not r}),
        deletions=Counter({r: n for (r, h), n in edits.items() if not h}),
        reference_tokens=Counter(token for s in sentences for token in s.reference),
    )


def terminal_summary(report: ErrorReport, top: int = 10) -> str:
    """The report as text: totals, quality by length, the most frequent errors, many lines."""
    wrong = sum(sentence.errors > 0 for sentence in report.sentences)
    widths = {name: max(len(name), len("100.00")) + 2 for name in report.metrics}
    lines = [
        f"{len(report.sentences):,} sentences, {wrong:,} with errors: "
        f"{report.substitutions.total():,} substitutions, {report.insertions.total():,} insertions,"
        f" {report.deletions.total():,} deletions",
        "",
        f"{'source tokens':<14}{'sentences':>10}{'length':>8}"
        + "".join(f"{name:>{width}}" for name, width in widths.items()),
    ]
    for bucket in report.buckets:
        low, high = bucket.shortest, bucket.longest
        spread = f"{low} to {high}" if low < high else str(low)
        lines.append(
            f"{spread:<14}{bucket.sentences:>10,}{bucket.length_ratio:>8.2f}"
            + "".join(f"{bucket.metrics[name]:>{width}.2f}" for name, width in widths.items())
        )
    lines.append(
        f"{'all':<14}{len(report.sentences):>10,}{_length_ratio(report.sentences):>8.2f}"
        + "".join(f"{report.metrics[name]:>{width}.2f}" for name, width in widths.items())
    )
    pairs = Counter({f"{r} → {h}": n for (r, h), n in report.substitutions.items()})
    for title, counts in (
        ("substituted", pairs),
        ("inserted", report.insertions),
        ("deleted", report.deletions),
    ):
        listed = ", ".join(f"{what} {count}" for what, count in _most(counts, top))
        lines.append(f"\n{title}: {listed or 'none'}")
    return "\n".join(lines)


def write_error_report(
    report: ErrorReport, path: str | Path, title: str = "Errors", worst: int = 300
) -> Path:
    """Writes the report as a self-contained HTML page.

    Args:
      worst: so many sentences are shown, those with the highest error rates.
    """
    data = {
        "sentences": len(report.sentences),
        "wrong": sum(sentence.errors > 0 for sentence in report.sentences),
        "lengthRatio": finite(_length_ratio(report.sentences)),
        "metrics": {name: finite(value) for name, value in report.metrics.items()},
        "buckets": [
            {
                "range": [bucket.shortest, bucket.longest],
                "sentences": bucket.sentences,
                "lengthRatio": finite(bucket.length_ratio),
                "metrics": {name: finite(value) for name, value in bucket.metrics.items()},
            }
            for bucket in report.buckets
        ],
        "worst": [
            {
                "source": list(sentence.source),
                "edits": sentence.edits,
                "errors": sentence.errors,
                "rate": finite(sentence.error_rate, 1),
                "score": None if sentence.score is None else finite(sentence.score),
            }
            for sentence in report.sentences[:worst]
            if sentence.errors
        ],
        "substitutions": [[*pair, count] for pair, count in _most(report.substitutions, 30)],
        "insertions": _most(report.insertions, 30),
        "deletions": _most(report.deletions, 30),
        "totals": {
            "substitutions": report.substitutions.total(),
            "insertions": report.insertions.total(),
            "deletions": report.deletions.total(),
        },
        "matrix": _matrix(report),
    }
    return write_page(path, "error_report", title, data)


_LARGEST_MATRIX = 100  # more kinds of tokens cannot be told apart in a picture


def _aligned(
    source: Tokens, hypothesis: Tokens, references: Sequence[Tokens], score: float | None
) -> Sentence:
    reference = min(
        references, key=lambda each: (Levenshtein.distance(each, hypothesis), -len(each))
    )
    edits = []
    for block in Levenshtein.opcodes(reference, hypothesis):
        before = reference[block.src_start : block.src_end]
        after = hypothesis[block.dest_start : block.dest_end]
        # A replacement has as many tokens on either side; the other kinds have one side only.
        edits += [Edit(r, h) for r, h in itertools.zip_longest(before, after, fillvalue="")]
    return Sentence(source, hypothesis, reference, edits, score)


def _by_length(
    sentences: list[Sentence],
    references: Sequence[Sequence[Tokens]],
    measure: Measure,
    max_buckets: int,
) -> list[LengthBucket]:
    lengths = np.array([len(sentence.source) for sentence in sentences])
    inner = np.quantile(lengths, np.arange(1, max_buckets) / max_buckets, method="inverted_cdf")
    edges = np.unique([lengths.min() - 1, *inner, lengths.max()])
    buckets = []
    for low, high in itertools.pairwise(edges.tolist()):
        places = np.flatnonzero((lengths > low) & (lengths <= high)).tolist()
        chosen = [sentences[i] for i in places]
        buckets.append(
            LengthBucket(
                shortest=int(lengths[places].min()),
                longest=int(lengths[places].max()),
                sentences=len(chosen),
                length_ratio=_length_ratio(chosen),
                metrics=measure([s.hypothesis for s in chosen], [references[i] for i in places]),
            )
        )
    return buckets


def _length_ratio(sentences: Sequence[Sentence]) -> float:
    return sum(len(s.hypothesis) for s in sentences) / max(
        sum(len(s.reference) for s in sentences), 1
    )


def _most(counts: Counter[Any], top: int) -> list[tuple[Any, int]]:
    """The most frequent, of equals the first in the alphabet."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]


def _matrix(report: ErrorReport) -> dict[str, Any] | None:
    """What stands where in the picture of confusions; None of a large vocabulary.

    Rows are the references' tokens and, last, nothing (insertions); columns the hypotheses' tokens
    and, last, nothing (deletions). `counts` has [row, column, how often] of each error.
    """
    said = {*(h for _, h in report.substitutions), *report.insertions}
    kinds = sorted(said | set(report.reference_tokens))
    if len(kinds) > _LARGEST_MATRIX:
        return None
    at = {token: i for i, token in enumerate(kinds)}
    nothing = len(kinds)
    counts = [[at[r], at[h], count] for (r, h), count in report.substitutions.items()]
    counts += [[nothing, at[h], count] for h, count in report.insertions.items()]
    counts += [[at[r], nothing, count] for r, count in report.deletions.items()]
    return {
        "tokens": kinds,
        "occurrences": [report.reference_tokens[token] for token in kinds],
        "counts": counts,
    }
