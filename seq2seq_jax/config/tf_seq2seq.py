"""Configurations of google/seq2seq: its YAML files, and the `train_options.json` of its models."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config.trust import Trust, check_trust
from seq2seq_jax.schema.names import short_name
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.integrity import SEAL
from seq2seq_jax.utils.parsing import parse_json, parse_yaml

SUFFIXES = (".yml", ".yaml", ".json")

_MAX_BYTES = 1 << 20

_log = logging.getLogger(__name__)

# Keys that concern its program and not the model, or that have no counterpart here.
_WITHOUT_MEANING = (
    SEAL,
    "output_dir",
    "schedule",
    "optimizer.sync_replicas",
    "optimizer.sync_replicas_to_aggregate",
)
_RENAMED = {"model_class": "model", "hparams": "model_params", "tf_random_seed": "seed"}
# YAML 1.1 requires a dot in a number, and reads 1e-4 as text.
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


def read_tf_config(paths: Sequence[str], trust: Trust = False) -> ConfigDict:
    """Merge configuration files of google/seq2seq; later files override earlier ones.

    Keys may be flat (`encoder.params: ...`) at any depth. The keys of the model are below
    `model_params`, or `hparams` in old files. Class names are paths of its modules. The hook that
    synchronizes replicas is left out with a line in the log: here, no hook is needed for that.

    Args:
      paths: YAML files, or the `train_options.json` of a model.
      trust: Which custom classes the files may name.

    Returns:
      A configuration for `resolve`. All its keys count as written.

    Raises:
      UserError: A file cannot be read, has values of unexpected types, or names a custom class that
        is not trusted. The error names the file, or the line that is wrong.
    """
    names = ",".join(paths)
    merged: dict[str, Any] = {}
    for path in paths:
        values = _read(path)
        _merge(merged, {_RENAMED.get(key, key): value for key, value in values.items()})
    params = merged.pop("model_params", None) or {}
    if not isinstance(params, dict):
        raise UserError(names, f"model_params must hold keys and values; got {params!r}")
    config: dict[str, Any] = {}
    for key, value in {**merged, **params}.items():
        if value is not None and key not in _WITHOUT_MEANING:
            _set(config, key, _plain(value, key), key)
    check_trust(config, names, trust)
    if isinstance(config.get("model"), str):
        config["model"] = short_name(config["model"])
    if isinstance(hooks := config.get("hooks"), list):
        config["hooks"] = [hook for hook in hooks if _is_known_hook(hook)]
    return ConfigDict(config, type_safe=False)


def _read(path: str) -> dict[str, Any]:
    try:
        content = Path(path).read_bytes()
        if len(content) > _MAX_BYTES:
            raise UserError(path, f"must not be larger than {_MAX_BYTES:,} bytes")
        text = content.decode("utf-8")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name, or not UTF-8
        if isinstance(error, UnicodeDecodeError):
            raise UserError(path, "not UTF-8") from error
        reason = getattr(error, "strerror", None) or error
        raise UserError(path, f"cannot be read ({reason})") from error
    values = parse_json(text, path) if path.endswith(".json") else parse_yaml(text, path)
    if not isinstance(values, dict):
        raise UserError(path, "must hold keys and values")
    _check_types(values, path)
    return values


def _check_types(value: object, file: str, where: str = "") -> None:
    """Raise UserError at a key that is not text, or a value of a type that no key has."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            if not isinstance(key, str):
                raise UserError(file, f"keys must be names; got {key!r}")
            _check_types(part, file, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for part in value:
            _check_types(part, file, where)
    elif not isinstance(value, str | int | float | None):
        what = f"must be a text, a number, a list or keys and values; got {value!r}"
        raise UserError(file, f"{where} {what}")


def _merge(into: dict[str, Any], values: Mapping[str, object]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _set(config: dict[str, Any], dotted: str, value: object, where: str) -> None:
    *groups, last = dotted.split(".")
    for group in groups:
        config = config.setdefault(group, {})
        if not isinstance(config, dict):
            raise UserError(where, f"{group} is set to a value, so it cannot hold {last} as well")
    if isinstance(value, dict) and isinstance(config.get(last), dict):
        _merge(config[last], value)
    else:
        config[last] = value


def _plain(value: object, where: str) -> object:
    """Nest flat keys, and convert numbers that YAML read as text."""
    if isinstance(value, Mapping):
        nested: dict[str, object] = {}
        for key, part in value.items():
            if part is not None:
                _set(nested, key, _plain(part, f"{where}.{key}"), f"{where}.{key}")
        return nested
    if isinstance(value, list):
        return [_plain(part, where) for part in value]
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return value


def _is_known_hook(hook: object) -> bool:
    name = short_name(str(hook.get("class") if isinstance(hook, Mapping) else hook))
    if name == "SyncReplicasOptimizerHook":
        _log.warning("left out the hook %s, which is not needed here", name)
        return False
    return True
