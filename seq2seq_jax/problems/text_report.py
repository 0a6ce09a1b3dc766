"""The report on the data of a text problem, which is printed before training."""

import logging

from ml_collections import ConfigDict

from seq2seq_jax.data.augmentation import AugmentationConfig
from seq2seq_jax.data.buckets import Buckets
from seq2seq_jax.data.corpus import Corpus
from seq2seq_jax.data.report import format_data_report, report_line
from seq2seq_jax.data.unicode_forms import file_forms, form_warnings, format_forms
from seq2seq_jax.problems.setup import make_pipeline
from seq2seq_jax.storage.workdir import Vocabularies, normalized_sides

_log = logging.getLogger(__name__)


def describe_training_data(
    config: ConfigDict, vocabularies: Vocabularies, corpus: Corpus, buckets: Buckets
) -> list[str]:
    """Describe vocabularies, pairs and buckets, and log warnings about the forms of the files.

    Args:
      config: A resolved configuration.
      vocabularies: The vocabularies of the run.
      corpus: The training data.
      buckets: Their buckets.

    Returns:
      Parts of the report.

    Raises:
      UserError: A file cannot be read.
    """
    source, target, features = vocabularies.sizes
    sizes = f"{source:,} source and {target:,} target tokens"
    if features:
        sizes = f"{source:,} source tokens, {target:,} target tokens and {features:,} features"
    parts = [
        report_line("Vocabulary", f"{sizes} (special tokens included)"),
        format_data_report(corpus, buckets),
    ]
    augmentation = AugmentationConfig(**config.get("augmentation", {}))
    if augmentation.adds_pairs:
        added = f"{augmentation.hallucinated_pairs:,} pairs with hallucinated stems and"
        added += f" {augmentation.copied_targets:,} copied targets among them"
        parts.append(report_line("Augmentation", added))
    return [*parts, *_describe_forms(config)]


def _describe_forms(config: ConfigDict) -> list[str]:
    train = file_forms(make_pipeline(config, "input_pipeline_train"), "training set")
    dev = []
    if config.eval_every_n_steps:
        dev = file_forms(make_pipeline(config, "input_pipeline_dev"), "dev set")
    for warning in form_warnings(train, dev, normalized_sides(config)):
        _log.warning("%s", warning)
    forms = [form._replace(file=_shorten(form.file)) for form in (*train, *dev)]
    return [report_line("Unicode forms", line) for line in format_forms(forms)]


def _shorten(path: str) -> str:
    """Return the end of a long path, so that the line fits into a terminal."""
    parts = path.split("/")
    return path if len(path) <= 30 or len(parts) < 3 else "/".join(["...", *parts[-2:]])
