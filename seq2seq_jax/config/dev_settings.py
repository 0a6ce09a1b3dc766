"""Settings of the dev set that follow those of the training set."""

from typing import Any

from seq2seq_jax.config.class_pass import Flags

_TRAIN, _DEV = "input_pipeline_train", "input_pipeline_dev"
_DELIMITERS = ("source_delimiter", "target_delimiter", "features_delimiter")
_COLUMNS = (
    *("source_column", "target_column", "features_column", "language_column"),
    *("languages", "header", "format"),
    *("source_field", "target_field", "features_field"),
    *("source_feature", "target_feature", "features_feature"),
)
_DEFAULT_DATA = ("source_files", "target_files", "builtin")


def follow_training_set(file: dict[str, Any], flags: Flags) -> None:
    """Let the dev set have the class, columns, languages and delimiters of the training set.

    What the file or a flag sets for the dev set stays. The class stays as well if the dev set names
    data of the default class, or if the training set has a custom class, which may know one corpus.

    Args:
      file: What the file wrote, by group. Values are added to it.
      flags: All flags. Values are added to them.
    """
    train, dev = (file.get(name) or {} for name in (_TRAIN, _DEV))
    if not (isinstance(train, dict) and isinstance(dev, dict)):
        return  # Resolving reports the wrong value.
    train_params, dev_params = (group.get("params") or {} for group in (train, dev))
    if not (isinstance(train_params, dict) and isinstance(dev_params, dict)):
        return
    train_class = flags.get(f"{_TRAIN}.class", train.get("class"))
    dev_class = flags.get(f"{_DEV}.class", dev.get("class"))
    has_data = any(
        dev_params.get(name) or flags.get(f"{_DEV}.params.{name}") for name in _DEFAULT_DATA
    )
    follows = dev_class is None and not has_data
    if follows and isinstance(train_class, str) and "." not in train_class:
        dev_class = flags[f"{_DEV}.class"] = train_class
    for name in (*_DELIMITERS, *(_COLUMNS if dev_class == train_class else ())):
        key, text = f"{_DEV}.params.{name}", flags.get(f"{_TRAIN}.params.{name}")
        if name in dev_params or key in flags:
            continue
        if text is not None:
            flags[key] = text
        elif name in train_params:
            dev_params[name] = train_params[name]
            file[_DEV] = {**dev, "params": dev_params}
