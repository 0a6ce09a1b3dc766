"""Statistical significance of differences between outputs: paired bootstrap (Koehn 2004)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from seq2seq_jax.data.readers.text_lines import read_lines
from seq2seq_jax.utils.errors import UserError


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
) -> dict[str, Comparisons]:
    """Compare outputs with the first of them, by BLEU and chrF.

    Args:
      outputs: Name -> lines, at least two outputs.
      references: One or more references for each line.
      tokenize: sacreBLEU's tokenizer for BLEU; `none` for tokenized text.
      samples: The number of bootstrap samples, which are drawn with a fixed seed.

    Returns:
      Name of the metric -> comparisons.
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
    """Read outputs and references from files, plain or .gz.

    Args:
      outputs: The files of outputs.
      references: The files of references; a line may hold several, separated by tabs.

    Returns:
      File -> lines, and the references of each line.

    Raises:
      UserError: A file cannot be read, is repeated, or has another number of lines.
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
