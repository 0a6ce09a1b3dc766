"""Which keys may change when training resumes: freely, or if the user allows it."""

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.schema.names import did_you_mean
from seq2seq_jax.utils.errors import UserError

RESUMABLE: dict[str, str] = {
    "train_steps": "where training ends is not part of a step",
    "input_pipeline_train.params.num_epochs": "where training ends is not part of a step",
    "eval_every_n_steps": "evaluation does not change training",
    "input_pipeline_dev": "evaluation does not change training",
    "metrics": "computed in evaluation",
    "best_metric": "chooses among checkpoints",
    "inference": "used in evaluation and at inference only",
    "tasks": "used at inference only",
    "tracking": "observes training without changing it",
    "hooks": "observe training without changing it",
    "early_stopping_patience": "where training ends is not part of a step",
    "parallel": "the same step, distributed in another way",
    "kernels": "the same step with other operations, equal up to rounding",
    "gradient_accumulation_steps": "the same gradient, computed in other parts",
    "remat": "the same gradient with less memory",
    "log_every_n_steps": "how often training reports",
    "save_checkpoints_secs": "when checkpoints are written",
    "save_checkpoints_steps": "when checkpoints are written",
    "keep_checkpoint_max": "which checkpoints stay",
    "keep_checkpoint_every_n_hours": "which checkpoints stay",
}
"""Keys that may change when training resumes in the same workdir, with all keys below them.

The text says why every step that was already taken would have been the same.
"""


CHANGEABLE: dict[str, str] = {
    "optimizer": "another learning rate, schedule or clipping; the optimizer keeps its state, whose"
    " form must stay the same",
    "batch_size": "other batches, from the next epoch on",
    "batch_tokens": "other batches, from the next epoch on",
    "buckets": "other batches, from the next epoch on",
    "input_pipeline_train": "other or added data, from the next epoch on; texts are split and"
    " numbered as before",
    "corpora": "other weights of the corpora, from the next epoch on",
    "seed": "another order of the data and other dropout masks",
    "label_smoothing": "another loss",
    "ema_decay": "another decay; the average can be neither started nor ended",
    "dtype": "another precision",
    "source.max_seq_len": "other data, from the next epoch on",
    "target.max_seq_len": "other data, from the next epoch on",
    "*.dropout_*": "another regularization",
    "*.variational_dropout": "another regularization",
}
"""Keys that `--allow-changes` can name, with all keys below them; `*` matches any part of a key.

The text says what the change means. Parameters keep their shapes.
"""

_FIXED = (
    "input_pipeline_train.params.source_delimiter",
    "input_pipeline_train.params.target_delimiter",
)


def diff_configs(
    old: Mapping[str, Any] | ConfigDict,
    new: Mapping[str, Any] | ConfigDict,
    free: Collection[str] = tuple(RESUMABLE),
) -> list[str]:
    """Find the differences between two resolved configurations, or their values in files.

    The keys of `RESUMABLE` may differ, and the training data of a model that has none yet (an
    imported one). A key that only one of the configurations has is a difference.

    Args:
      old: The configuration of a run.
      new: The configuration with which the run is to be resumed.
      free: The keys that may differ, with all keys below them.

    Returns:
      The dotted keys.

    Example:
      >>> old, new = ConfigDict({"seed": 0, "train_steps": 9}), ConfigDict({"seed": 1})
      >>> diff_configs(old, new)
      ['seed']
    """
    before, after = flatten_config(old), flatten_config(new)
    missing = object()
    free_keys = [*free]
    data = ("input_pipeline_train.params.source_files", "input_pipeline_train.params.builtin")
    if all(before.get(key, missing) == "" for key in data):
        free_keys.append("input_pipeline_train")
    return [
        key
        for key in sorted({*before, *after})
        if before.get(key, missing) != after.get(key, missing)
        and not any(key == free or key.startswith(f"{free}.") for free in free_keys)
    ]


def check_changes(
    different: Collection[str], allowed: Collection[str], where: str, workdir: str
) -> None:
    """Check that all keys that differ from those of a run may change and are allowed to.

    Args:
      different: The dotted keys that differ, as `diff_configs` returns them.
      allowed: The keys that the user named in `--allow-changes`, with all keys below them.
      where: The file of the run's configuration, for errors.
      workdir: The workdir of the run, for errors.

    Raises:
      UserError: A key differs that was not allowed to change, or that cannot change in one run.
    """
    for key in allowed:
        if not any(_is_below(other, key) for other in different) and not is_changeable(key):
            hint = did_you_mean(key, [name for name in CHANGEABLE if "*" not in name])
            what = f"{key} cannot change in a run{hint}; use keys of: {', '.join(CHANGEABLE)}"
            raise UserError("--allow-changes", what)
    if not different:
        return
    fixed = [key for key in different if not is_changeable(key)]
    refused = [key for key in different if not any(_is_below(key, other) for other in allowed)]
    start = f"--config.initialize_from={workdir} with another --workdir"
    if fixed:
        remedy = f"use the old values, or start a new run by {start}"
        named = fixed
    elif refused:
        named = refused
        flag = f"--allow-changes={','.join(refused)}"
        remedy = f"use the old values, {flag} to change the plan of this run, or {start}"
    else:
        return
    raise UserError(
        where,
        f"this run was started with another configuration: {', '.join(named)}"
        f" {'differs' if len(named) == 1 else 'differ'}; {remedy}",
    )


def is_changeable(key: str) -> bool:
    """Return whether `--allow-changes` can name a key.

    Args:
      key: The dotted key.

    Example:
      >>> is_changeable("optimizer.learning_rate"), is_changeable("embedding.dim")
      (True, False)
    """
    if key in _FIXED:
        return False
    return any(_is_below(key, name) or fnmatchcase(key, name) for name in CHANGEABLE)


def changed_values(
    old: Mapping[str, Any] | ConfigDict, new: Mapping[str, Any] | ConfigDict, keys: Collection[str]
) -> dict[str, list[object]]:
    """Return the old and the new value of dotted keys; None where a configuration has none.

    Args:
      old: The configuration of a run.
      new: The configuration with which it is resumed.
      keys: The dotted keys.
    """
    before, after = flatten_config(old), flatten_config(new)
    return {key: [before.get(key), after.get(key)] for key in keys}


def _is_below(key: str, group: str) -> bool:
    return key == group or key.startswith(f"{group}.")


def flatten_config(config: Mapping[str, Any] | ConfigDict) -> dict[str, object]:
    """Return the leaves of a configuration by their dotted keys.

    Args:
      config: A configuration, or its values in a file. An empty group is a leaf: an empty list of
        classes.
    """
    return _flat(dict(config.to_dict() if isinstance(config, ConfigDict) else config))


def _flat(group: dict[str, object], where: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in group.items():
        key = f"{where}{name}"
        flat.update(_flat(value, f"{key}.") if isinstance(value, dict) and value else {key: value})
    return flat
