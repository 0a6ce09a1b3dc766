"""Whether a configuration describes a multilingual model."""

from collections.abc import Mapping
from typing import Any

from seq2seq_jax.schema.rules import LANGUAGE_PLACEHOLDER

MACRO_AVERAGE = "language/macro/"
"""Begins the names of metrics that are means over the languages of a multilingual model."""

_FILE_KEYS = ("files", "source_files")


def has_languages(params: Mapping[str, Any]) -> bool:
    """Return whether an input pipeline says the language of each pair.

    Args:
      params: The parameters of the pipeline.

    Example:
      >>> has_languages({"files": "data/{language}_train.tsv"}), has_languages({"files": "a.tsv"})
      (True, False)
    """
    named = params.get("language_column") or params.get("languages")
    files = (str(params.get(key) or "") for key in _FILE_KEYS)
    return bool(named) or any(LANGUAGE_PLACEHOLDER in names for names in files)


def is_multilingual(config: Mapping[str, Any]) -> bool:
    """Return whether the training data say the language of each pair.

    Args:
      config: A resolved configuration.
    """
    return has_languages(config["input_pipeline_train"]["params"])
