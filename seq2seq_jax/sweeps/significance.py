"""Statistical significance of differences between outputs: paired bootstrap (Koehn 2004)."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest
from sacrebleu.tokenizers.tokenizer_spm import SPM_MODELS
from sacrebleu.utils import SACREBLEU_DIR

from seq2seq_jax.data.readers.text_lines import read_lines
from seq2seq_jax.sweeps.error_rates import ErrorRate
from seq2seq_jax.utils.errors import UserError, quantity

METRICS: dict[str, Callable[[str, bool], Metric]] = {
    "bleu": lambda tokenize, by_character: BLEU(tokenize=tokenize, force=True),
    "chrf": lambda tokenize, by_character: CHRF(),
    "chrf++": lambda tokenize, by_character: CHRF(word_order=2),
    "ter": lambda tokenize, by_character: TER(case_sensitive=True),
    "token_error_rate": lambda tokenize, by_character: ErrorRate(
        "token_error_rate", by_character=by_character
    ),
    "sequence_error_rate": lambda tokenize, by_character: ErrorRate("sequence_error_rate"),
}
"""Makes each metric from the tokenizer of BLEU, and from whether characters are symbols."""

DEFAULT_METRICS = ("bleu", "chrf", "token_error_rate", "sequence_error_rate")


class Comparison(NamedTuple):
    """The score of one output, compared with the first one.

    Attributes:
      name: The name of the output.
      score: The score of the corpus, in percent.
      interval: Half the width of the 95 % confidence interval of the score.
      p_value: The probability that a difference this large from the first output arises by chance;
        None for the first output.
    """

    name: str
    score: float
    interval: float
    p_value: float | None


class Comparisons(NamedTuple):
    """The comparisons of all outputs by one metric.

    Attributes:
      signature: sacreBLEU's signature of the metric.
      outputs: One comparison per output.
    """

    signature: str
    outputs: list[Comparison]


def compare_outputs(
    outputs: Mapping[str, Sequence[str]],
    references: Sequence[Sequence[str]],
    *,
    tokenize: str = "none",
    samples: int = 1000,
    metrics: Sequence[str] = DEFAULT_METRICS,
    by_character: bool = False,
) -> dict[str, Comparisons]:
    """Compare outputs with the first of them.

    Args:
      outputs: Name -> lines, at least two outputs.
      references: One or more references for each line.
      tokenize: sacreBLEU's tokenizer for BLEU; `none` for tokenized text.
      samples: The number of bootstrap samples, which are drawn with a fixed seed.
      metrics: Names of `METRICS`.
      by_character: The token error rate counts characters instead of tokens between white space.

    Returns:
      Name of the metric -> comparisons.
    """
    most = max(map(len, references))
    streams: Any = [
        [texts[i] if i < len(texts) else None for texts in references] for i in range(most)
    ]
    made = {name: METRICS[name](tokenize, by_character) for name in metrics}
    named: Any = [(name, list(lines)) for name, lines in outputs.items()]
    test = PairedTest(named, made, streams, test_type="bs", n_samples=samples)
    signatures, scores = test()
    columns: dict[str, Any] = dict(scores)
    return {
        metric: Comparisons(
            str(signatures[metric]),
            [
                Comparison(name, result.score, result.ci, result.p_value)
                for name, result in zip(outputs, columns[metric], strict=True)
            ],
        )
        for metric in signatures
    }


def read_outputs(
    outputs: Sequence[str], references: Sequence[str], column: int | None = None
) -> tuple[dict[str, list[str]], list[list[str]]]:
    """Read outputs and references from files, plain or .gz.

    Args:
      outputs: The files of outputs.
      references: The files of references; a line may hold several, separated by tabs.
      column: All files are tables without a header, whose outputs and references are in this
        column, counted from 1; blank lines are ignored. None: the files are no tables.

    Returns:
      File -> lines, and the references of each line.

    Raises:
      UserError: A file cannot be read, is repeated, or has another number of lines; or (FILE:LINE)
        a reference is empty, as after a tab at the end of a line, or the column is missing.
    """
    texts = {name: _read_texts(name, column) for name in outputs}
    if len(texts) < 2 or len(texts) < len(outputs):
        raise UserError("--compare", f"needs two different files or more; got {' '.join(outputs)}")
    columns = [_read_texts(name, column) for name in references]
    first = next(iter(texts))
    for name, lines in [*texts.items(), *zip(references, columns, strict=True)]:
        if len(lines) != len(texts[first]):
            what = f"has {len(lines)} lines, but {first} has {len(texts[first])}"
            raise UserError(name, f"{what}; line i of each must be about the same source")
    if not texts[first]:
        raise UserError(first, "is empty; there is nothing to compare")
    split = [
        [_split_references(line, f"{name}:{number}") for number, line in enumerate(lines, start=1)]
        for name, lines in zip(references, columns, strict=True)
    ]
    return texts, [[text for line in lines for text in line] for lines in zip(*split, strict=True)]


def check_tokenizer(name: str) -> None:
    """Check that a tokenizer of sacreBLEU can be used without a download.

    Args:
      name: A name such as "13a".

    Raises:
      UserError: There is no such tokenizer, its package is not installed, or its model is not in
        sacreBLEU's directory.
    """
    if name not in BLEU.TOKENIZERS:
        known = ", ".join(BLEU.TOKENIZERS)
        raise UserError("--tokenize", f"must be one of: {known}; got {name}")
    if name in SPM_MODELS:
        file = Path(SACREBLEU_DIR, "models", PurePosixPath(SPM_MODELS[name]["url"]).name)
        if not file.exists():
            what = f"{name} needs a model that is not at {file}, and nothing is downloaded here"
            raise UserError(
                "--tokenize", f"{what}; run `sacrebleu --tokenize {name}` once, or use 13a"
            )
    try:
        BLEU(tokenize=name)
    except (ImportError, RuntimeError, OSError, AssertionError) as error:
        extra = {"ja-mecab": "sacrebleu[ja]", "ko-mecab": "sacrebleu[ko]"}.get(name)
        what = (
            f"{name} needs packages that are not installed; run `pip install '{extra}'`, or use 13a"
            if extra and not isinstance(error, AssertionError)
            else f"{name} cannot be used ({' '.join(str(error).split())}); use 13a"
        )
        raise UserError("--tokenize", what) from error


def check_metrics(names: Sequence[str]) -> None:
    """Check the names of metrics.

    Args:
      names: The names.

    Raises:
      UserError: One is not in `METRICS`.
    """
    for name in names:
        if name not in METRICS:
            known = ", ".join(METRICS)
            raise UserError("--metric", f"must be, with --compare, one of: {known}; got {name}")


def _read_texts(name: str, column: int | None) -> list[str]:
    """Return the lines of a file, or one column of its rows."""
    if column is None:
        return list(read_lines(name))
    texts = []
    for number, line in enumerate(read_lines(name), start=1):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) < column:
            what = f"has {quantity(len(cells), 'column')}, but --column is {column}"
            raise UserError(f"{name}:{number}", f"{what}; columns are separated by tabs")
        texts.append(cells[column - 1])
    return texts


def _split_references(line: str, where: str) -> list[str]:
    references = line.split("\t")
    for number, text in enumerate(references, start=1):
        if not text.strip():
            column = f" (column {number} of {len(references)})" if len(references) > 1 else ""
            remedy = "remove the tab" if len(references) > 1 else "remove the line from all files"
            raise UserError(where, f"the reference is empty{column}; write one, or {remedy}")
    return references


def comparisons_to_markdown(comparisons: Mapping[str, Comparisons]) -> str:
    """Return one Markdown table per metric.

    Args:
      comparisons: Name of the metric -> comparisons.
    """
    parts = []
    for metric, (signature, each) in comparisons.items():
        lines = [f"| output | {metric} | 95 % interval | p |", "|---|---|---|---|"]
        for one in each:
            p = "" if one.p_value is None else f"{one.p_value:.4f}"
            lines.append(f"| {Path(one.name)} | {one.score:.2f} | ± {one.interval:.2f} | {p} |")
        parts.append("\n".join(lines) + f"\n\n{metric}: `{signature}`")
    return "\n\n".join(parts) + "\n"
