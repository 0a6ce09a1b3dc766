"""Predictions in the formats of shared tasks: source, output and features, separated by tabs."""

from collections.abc import Sequence
from pathlib import Path

from seq2seq_jax.data.languages import split_tag
from seq2seq_jax.inference.json_lines import prediction_row
from seq2seq_jax.problems.protocol import DevData
from seq2seq_jax.utils.atomic_io import atomic_write
from seq2seq_jax.utils.errors import UserError

LANGUAGE = "{language}"
"""Stands for the language in the name of a file of predictions."""


def write_predictions(path: str, dev: DevData, outputs: Sequence[str]) -> list[Path]:
    """Write a row for each example of a dev set, in the order of the dev set.

    Args:
      path: The file; with `LANGUAGE` in its name, each language has its own file.
      dev: The dev set.
      outputs: The output for each source; an example without source or target has an empty one.

    Returns:
      The files.

    Raises:
      UserError: The dev set has no texts or was not decoded, there are several languages but the
        name has no place for them, or a file cannot be written.
    """
    if dev.examples is None:
        raise UserError("--predictions", "is for text models; leave it out")
    if not outputs:
        what = "needs a metric of decoded text; use --config.metrics=ErrorRateMetricSpec"
        raise UserError("--predictions", what)
    rows: dict[str, list[str]] = {}
    for example, index in dev.examples():
        output = outputs[index] if index >= 0 else ""
        row = prediction_row(example.source, output, example.features or None)
        rows.setdefault(split_tag(example.source)[0], []).append(row)
    if len(rows) > 1 and LANGUAGE not in path:
        what = f"must contain {LANGUAGE}, because the dev set has {len(rows)} languages"
        raise UserError("--predictions", f"{what}; got {path}")
    files = []
    for language, lines in rows.items():
        file = Path(path.replace(LANGUAGE, language))
        atomic_write(file, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
        files.append(file)
    return files
