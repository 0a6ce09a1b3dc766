"""The errors of a model on a set of pairs: by length, by sentence and by token.

Errors are those of the edit distance (Levenshtein 1966) to the nearest reference: substitutions,
insertions (extra tokens) and deletions (missing tokens).
"""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from seq2seq_jax.data.breakdowns import length_buckets
from seq2seq_jax.reports.html_page import finite_or_none, write_page

Tokens = Sequence[str]
Measure = Callable[[Sequence[Tokens], Sequence[Sequence[Tokens]]], dict[str, float]]
"""(hypotheses, references) -> the value of each metric."""


class Edit(NamedTuple):
    """A position of the alignment.

    Attributes:
      reference: The token of the reference; empty for an insertion.
      hypothesis: The token of the hypothesis; empty for a deletion.
    """

    reference: str
    hypothesis: str


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A source, its best hypothesis, and the alignment with the nearest reference.

    Attributes:
      source: The tokens of the source.
      hypothesis: The tokens of the hypothesis.
      reference: The tokens of the nearest reference.
      edits: The alignment of reference and hypothesis.
      score: The score of the hypothesis; None if it is not known.
    """

    source: Tokens
    hypothesis: Tokens
    reference: Tokens
    edits: list[Edit]
    score: float | None

    @property
    def errors(self) -> int:
        """The number of errors."""
        return sum(edit.reference != edit.hypothesis for edit in self.edits)

    @property
    def error_rate(self) -> float:
        """The number of errors in percent of the reference's length; it can exceed 100."""
        return 100.0 * self.errors / max(len(self.reference), 1)


class LengthBucket(NamedTuple):
    """The sentences of similar length.

    Attributes:
      shortest: The length of the shortest source.
      longest: The length of the longest source.
      sentences: The number of sentences.
      length_ratio: Tokens of the hypotheses / tokens of the references.
      metrics: Name -> result on these sentences.
    """

    shortest: int
    longest: int
    sentences: int
    length_ratio: float
    metrics: dict[str, float]


@dataclasses.dataclass(frozen=True)
class ErrorReport:
    """The errors of a model.

    Attributes:
      sentences: All sentences, the worst first.
      metrics: Name -> result on all sentences.
      buckets: The buckets, from short to long sources.
      substitutions: (token of the reference, token of the hypothesis) -> count.
      insertions: Token -> count.
      deletions: Token -> count.
      reference_tokens: Token -> count in the references.
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
        _align(source, hypothesis, several, score)
        for source, hypothesis, several, score in zip(
            sources, hypotheses, references, given, strict=scores is not None
        )
    ]
    edits = Counter(edit for sentence in sentences for edit in sentence.edits)
    return ErrorReport(
        # Among sentences with the same rate, longer ones come first.
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
    """Return the report as text: totals, metrics by length, and the most frequent errors.

    Args:
      report: The report.
      top: The number of errors of each kind.
    """
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
    report: ErrorReport,
    path: str | Path,
    title: str = "Errors",
    worst: int = 300,
    groups: Mapping[str, object] | None = None,
) -> Path:
    """Write the report as a self-contained HTML page.

    Args:
      report: The report.
      path: The .html file.
      title: The title of the page.
      worst: The number of sentences that are shown, those with the highest error rates.
      groups: Name of a grouping -> the results of its groups, as `GroupedResults.to_dict` returns
        them. Each has a table.

    Returns:
      The path of the file.
    """
    data = {
        "sentences": len(report.sentences),
        "wrong": sum(sentence.errors > 0 for sentence in report.sentences),
        "lengthRatio": finite_or_none(_length_ratio(report.sentences)),
        "metrics": {name: finite_or_none(value) for name, value in report.metrics.items()},
        "buckets": [
            {
                "range": [bucket.shortest, bucket.longest],
                "sentences": bucket.sentences,
                "lengthRatio": finite_or_none(bucket.length_ratio),
                "metrics": {name: finite_or_none(value) for name, value in bucket.metrics.items()},
            }
            for bucket in report.buckets
        ],
        "worst": [
            {
                "source": list(sentence.source),
                "edits": sentence.edits,
                "errors": sentence.errors,
                "rate": finite_or_none(sentence.error_rate, 1),
                "score": None if sentence.score is None else finite_or_none(sentence.score),
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
        "groups": dict(groups or {}),
    }
    return write_page(path, "error_report", title, data)


_LARGEST_MATRIX = 100
"""More different tokens cannot be distinguished in the confusion matrix."""


def _align(
    source: Tokens, hypothesis: Tokens, references: Sequence[Tokens], score: float | None
) -> Sentence:
    reference = min(
        references, key=lambda each: (Levenshtein.distance(each, hypothesis), -len(each))
    )
    edits = []
    for block in Levenshtein.opcodes(reference, hypothesis):
        before = reference[block.src_start : block.src_end]
        after = hypothesis[block.dest_start : block.dest_end]
        # A substitution has as many tokens on both sides; the other kinds have one side only.
        edits += [Edit(r, h) for r, h in itertools.zip_longest(before, after, fillvalue="")]
    return Sentence(source, hypothesis, reference, edits, score)


def _by_length(
    sentences: list[Sentence],
    references: Sequence[Sequence[Tokens]],
    measure: Measure,
    max_buckets: int,
) -> list[LengthBucket]:
    lengths = np.array([len(sentence.source) for sentence in sentences])
    buckets = []
    for low, high in length_buckets(lengths, max_buckets):
        places = np.flatnonzero((lengths >= low) & (lengths <= high)).tolist()
        chosen = [sentences[i] for i in places]
        buckets.append(
            LengthBucket(
                shortest=low,
                longest=high,
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
    """Return the most frequent items; ties are in alphabetical order."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]


def _matrix(report: ErrorReport) -> dict[str, object] | None:
    """Return the confusion matrix, or None if there are too many tokens.

    Rows are the tokens of the references, and a last row for insertions. Columns are the tokens of
    the hypotheses, and a last column for deletions. `counts` has [row, column, count] of each
    error.
    """
    predicted = {*(h for _, h in report.substitutions), *report.insertions}
    kinds = sorted(predicted | set(report.reference_tokens))
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
