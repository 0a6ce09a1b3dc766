"""Rules between the keys of features: where the data have them, and how the model reads them."""

import logging
from collections.abc import Mapping
from typing import Any

from seq2seq_jax.config.classes import built_in_classes
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)

FEATURE_KEYS = ("features_column", "features_files", "features_field", "features_feature")
"""Parameters of input pipelines that say where features are."""


def reads_features(config: Mapping[str, Any]) -> bool:
    """Return whether the model of a resolved configuration reads features.

    Args:
      config: The configuration.
    """
    return bool(config.get("features", {}).get("combine", "none") != "none")


def choose_features(config: dict[str, Any]) -> None:
    """Replace `features.combine=auto`, and check that the model can read features in this way.

    Args:
      config: The nested values of a filled configuration, which are changed.

    Raises:
      UserError: The model has no attention for features.
    """
    features = config.get("features")
    if not features or "combine" not in features:
        return
    if features["combine"] == "auto":
        features["combine"] = "source" if _has_features(config, "input_pipeline_train") else "none"
    if features["combine"] == "attention" and not config.get("attention"):
        what = f"is attention, but {config['model']} has none; use source or decoder"
        raise UserError("features.combine", what)


def check_features(config: Mapping[str, Any], pipeline: str) -> None:
    """Check that a pipeline reads features if the model does, and warn of features not used.

    Args:
      config: A resolved configuration.
      pipeline: "input_pipeline_train" or "input_pipeline_dev".

    Raises:
      UserError: A built-in pipeline reads no features, but the model needs them.
    """
    params = config[pipeline]["params"]
    has_features = _has_features(config, pipeline)
    if not reads_features(config) and has_features and pipeline == "input_pipeline_train":
        what = "features are read, but not used by the model, because features.combine is none"
        _log.warning("%s.params: %s", pipeline, what)
    if has_features or not reads_features(config):
        return
    name = next((key for key in FEATURE_KEYS if key in params), None)
    if name is not None and config[pipeline]["class"] in built_in_classes()["pipeline"]:
        raise UserError(
            f"{pipeline}.params.{name}",
            "is empty, but the model reads features (features.combine is"
            f" {config['features']['combine']}); name them, or train with features.combine=none",
        )


def _has_features(config: Mapping[str, Any], pipeline: str) -> bool:
    params = config[pipeline]["params"]
    return any(params.get(name) for name in FEATURE_KEYS)
