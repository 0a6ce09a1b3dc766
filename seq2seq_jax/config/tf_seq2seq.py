"""Configurations of google/seq2seq: its YAML files, and the `train_options.json` of its models."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ml_collections import ConfigDict

from seq2seq_jax.schema.names import short_name
from seq2seq_jax.utils.errors import UserError

SUFFIXES = (".yml", ".yaml", ".json")

_log = logging.getLogger(__name__)

# Keys that concern its program and not the model, or that have no counterpart here.
_WITHOUT_MEANING = (
    "output_dir",
    "schedule",
    "optimizer.sync_replicas",
    "optimizer.sync_replicas_to_aggregate",
)
_RENAMED = {"model_class": "model", "hparams": "model_params", "tf_random_seed": "seed"}
# YAML 1.1 requires a dot in a number, and reads 1e-4 as text.
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


def read_tf_config(paths: Sequence[str]) -> ConfigDict:
    """Merge configuration files of google/seq2seq; later files override earlier ones.

    Keys may be flat (`encoder.params: ...`) at any depth. The keys of the model are below
    `model_params`, or `hparams` in old files. Class names are paths of its modules. The hook that
    synchronizes replicas is left out with a line in the log: here, no hook is needed for that.

    Args:
      paths: YAML files, or the `train_options.json` of a model.

    Returns:
      A configuration for `resolve`. All its keys count as written.

    Raises:
      UserError: A file cannot be read. The error names the file, or the line that is wrong.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        values = _read(path)
        _merge(merged, {_RENAMED.get(key, key): value for key, value in values.items()})
    params = merged.pop("model_params", None) or {}
    config: dict[str, Any] = {}
    for key, value in {**merged, **params}.items():
        if value is not None and key not in _WITHOUT_MEANING:
            _set(config, key, _plain(value))
    if "model" in config:
        config["model"] = config["model"].rpartition(".")[2]
    if "hooks" in config:
        config["hooks"] = [hook for hook in config["hooks"] if _is_known_hook(hook)]
    return ConfigDict(config, type_safe=False)


def _read(path: str) -> dict[str, Any]:
    try:
        text = Path(path).read_text("utf-8")
        values = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except OSError as error:
        raise UserError(path, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(path, "not UTF-8") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}", f"not JSON: {error.msg}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}", f"not YAML: {error.problem}") from error
    if not isinstance(values, dict):
        raise UserError(path, "must hold keys and values")
    return values


def _merge(into: dict[str, Any], values: Mapping[str, object]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _set(config: dict[str, Any], dotted: str, value: object) -> None:
    *groups, last = dotted.split(".")
    for group in groups:
        config = config.setdefault(group, {})
    if isinstance(value, dict) and isinstance(config.get(last), dict):
        _merge(config[last], value)
    else:
        config[last] = value


def _plain(value: object) -> object:
    """Nest flat keys, and convert numbers that YAML read as text."""
    if isinstance(value, Mapping):
        nested: dict[str, object] = {}
        for key, part in value.items():
            if part is not None:
                _set(nested, str(key), _plain(part))
        return nested
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return value


def _is_known_hook(hook: object) -> bool:
    name = short_name(str(hook["class"] if isinstance(hook, Mapping) else hook))
    if name == "SyncReplicasOptimizerHook":
        _log.warning("left out the hook %s, which is not needed here", name)
        return False
    return True
