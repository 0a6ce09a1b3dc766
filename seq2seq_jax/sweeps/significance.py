"""Is one output better than another, or was it luck? Paired bootstrap resampling (Koehn 2004)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from seq2seq_jax.data.readers.text_lines import read_lines
from seq2seq_jax.utils.errors import UserError


class Comparison(NamedTuple):
    """One output beside the first.

    Attributes:
      score: of the corpus, in percent.
      interval: half the width of the 95 % confidence interval of the score.
      p_value: how likely chance alone makes a difference as large as that to the first output; None
        for the first.
    """

    name: str
    score: float
    interval: float
    p_value: float | None


class Comparisons(NamedTuple):
    """Of one metric; the signature is sacreBLEU's."""

    signature: str
    of: list[Comparison]


def compare_outputs(
    outputs: Mapping[str, Sequence[str]],
    references: Sequence[Sequence[str]],
    *,
    tokenize: str = "none",
    samples: int = 1000,
) -> dict[str, Comparisons]:
    """Compares outputs with the first of them, in BLEU and chrF.

    Args:
      outputs: lines by name, at least two outputs.
      references: of each line one or more.
      tokenize: sacreBLEU's tokenizer for BLEU; `none` for text that is split into words already.
      samples: how often the lines are drawn anew. The draws are always the same ones.
    """
    most = max(map(len, references))
    streams: Any = [
        [texts[i] if i < len(texts) else None for texts in references] for i in range(most)
    ]
    metrics = {"BLEU": BLEU(tokenize=tokenize, force=True), "chrF": CHRF()}
    named: Any = [(name, list(lines)) for name, lines in outputs.items()]
    test = PairedTest(named, metrics, streams, test_type="bs", n_samples=samples)
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
    outputs: Sequence[str], references: Sequence[str]
) -> tuple[dict[str, list[str]], list[list[str]]]:
    """The lines of files, plain or .gz.

    Args:
      references: files; a line may hold several references, with tabs between them.

    Raises:
      UserError: a file cannot be read, is as long as none of the others, or is given twice.
    """
    texts = {name: list(read_lines(name)) for name in outputs}
    if len(texts) < 2 or len(texts) < len(outputs):
        raise UserError("--compare", f"needs two different files or more; got {' '.join(outputs)}")
    columns = [list(read_lines(name)) for name in references]
    first = next(iter(texts))
    for name, lines in [*texts.items(), *zip(references, columns, strict=True)]:
        if len(lines) != len(texts[first]):
            what = f"has {len(lines)} lines, but {first} has {len(texts[first])}"
            raise UserError(name, f"{what}; line i of each must be about the same source")
    if not texts[first]:
        raise UserError(first, "is empty; there is nothing to compare")
    return texts, [
        [text for line in lines for text in line.split("\t")]
        for lines in zip(*columns, strict=True)
    ]


def describe(comparisons: Mapping[str, Comparisons]) -> str:
    """As Markdown: a table for each metric."""
    parts = []
    for metric, (signature, each) in comparisons.items():
        lines = [f"| output | {metric} | 95 % | p |", "|---|---|---|---|"]
        for one in each:
            p = "" if one.p_value is None else f"{one.p_value:.4f}"
            lines.append(f"| {Path(one.name)} | {one.score:.2f} | ± {one.interval:.2f} | {p} |")
        parts.append("\n".join(lines) + f"\n\n{metric}: `{signature}`")
    return "\n\n".join(parts) + "\n"
