"""Predictions in the formats of shared tasks: source, output and features, separated by tabs."""

from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict

from seq2seq_jax.config.languages import is_multilingual
from seq2seq_jax.config.metric_results import make_metrics
from seq2seq_jax.data.languages import split_tag
from seq2seq_jax.evaluation.metrics import needs_text
from seq2seq_jax.inference.json_lines import prediction_row
from seq2seq_jax.problems.protocol import DevData, problem_of
from seq2seq_jax.schema.rules import LANGUAGE_PLACEHOLDER
from seq2seq_jax.utils.atomic_io import atomic_write
from seq2seq_jax.utils.errors import UserError


def check_predictions(path: str, config: ConfigDict) -> None:
    """Check that the predictions of a dev set can be written, before it is decoded.

    Args:
      path: The file.
      config: A resolved configuration.

    Raises:
      UserError: The model does not read texts, no metric needs decoded text, or the model is
        multilingual but the name has no place for languages.
    """
    problem_of(config).require_texts(config, "--predictions")
    if not any(map(needs_text, make_metrics(config.metrics))):
        what = "needs a metric of decoded text; use --config.metrics=ErrorRateMetricSpec"
        raise UserError("--predictions", what)
    if is_multilingual(config) and LANGUAGE_PLACEHOLDER not in path:
        what = f"must contain {LANGUAGE_PLACEHOLDER}, because the model is multilingual; got {path}"
        raise UserError("--predictions", what)


def write_predictions(path: str, dev: DevData, outputs: Sequence[str]) -> list[Path]:
    """Write a row for each example of a dev set, in the order of the dev set.

    Args:
      path: The file; with `LANGUAGE_PLACEHOLDER` in its name, each language has its own file.
      dev: The dev set.
      outputs: The output for each source; an example without source or target has an empty one.

    Returns:
      The files.

    Raises:
      UserError: A file cannot be written.
    """
    assert dev.examples is not None
    rows: dict[str, list[str]] = {}
    for example, index in dev.examples():
        output = outputs[index] if index >= 0 else ""
        row = prediction_row(example.source, output, example.features or None)
        rows.setdefault(split_tag(example.source)[0], []).append(row)
    files = []
    for language, lines in rows.items():
        file = Path(path.replace(LANGUAGE_PLACEHOLDER, language))
        atomic_write(file, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
        files.append(file)
    return files
