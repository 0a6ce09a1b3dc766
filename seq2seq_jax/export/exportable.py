"""Which models and searches can be exported: those of which the programs know every part.

What is new in the package is refused until the programs know it: a key that is not listed here must
have its default.
"""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.config.feature_rules import reads_features
from seq2seq_jax.export import seq2seq_numpy as runtime
from seq2seq_jax.search.search_config import (
    BeamSearchConfig,
    InferenceConfig,
    choose_top_k,
    make_inference_config,
)
from seq2seq_jax.utils.errors import UserError

MODELS = ("AttentionSeq2Seq", "BasicSeq2Seq")
"""The models that can be exported; their encoders, bridges and so on are in `BUILT_IN`."""

BUILT_IN = {
    "encoder": tuple(runtime.ENCODERS),
    "bridge": ("InitialStateBridge", "PassThroughBridge", "ZeroBridge"),
    "attention": ("AttentionLayerBahdanau", "AttentionLayerDot"),
    "decoder": ("AttentionDecoder", "BasicDecoder"),
}
"""The classes of each slot that can be exported."""

_MODEL_KEYS = (
    *("vocab_source", "vocab_features", "source", "features", "subwords", "augmentation"),
    *("embedding", *BUILT_IN),
)
_GROUPS = {
    "source": ("max_seq_len", "reverse", "lowercase", "normalization", "grapheme_clusters"),
    "embedding": ("dim", "share", "init_scale"),
}
_SEARCH_KEYS = (
    *("batch_size", "checkpoint", "average_checkpoints", "weights", "beam_search", "sampling"),
    *("ensemble", "ensemble_mean", "n_best", "max_decode_length", "min_decode_length"),
    *("forbid_unk", "no_repeat_ngram_size"),
)
_BEAM_KEYS = ("beam_width", "length_penalty_weight", "coverage_penalty_weight")
_DIVERSE_KEYS = ("diversity_groups", "diversity_strength", "choose_successors_fn")


def check_exportable(config: ConfigDict, *, any_beam_search: bool = False) -> None:
    """Check that the programs of the exports know a model and its search.

    Args:
      config: A resolved configuration of a text model.
      any_beam_search: Whether the form of export can hold any beam search.

    Raises:
      UserError: They do not know it; the error names the key.
    """
    model_class = resolve_class("model", config.model, "model")
    if model_class.__name__ not in MODELS or not _is_ours(model_class):
        raise UserError("model", f"{config.model} cannot be exported; use {' or '.join(MODELS)}")
    if reads_features(config):
        what = f"is {config.features.combine}, but exported programs read no features"
        raise UserError("features.combine", f"{what}; use infer, or Predictor in Python")
    _check_defaults("", config, model_class.config_class(), _MODEL_KEYS)
    for group, keys in _GROUPS.items():
        defaults = getattr(model_class.config_class(), group)
        _check_defaults(f"{group}.", config[group], defaults, keys)
    for slot, names in BUILT_IN.items():
        if slot in config:
            where = f"{slot}.class"
            _check_class(resolve_class(slot, config[slot]["class"], where), names, where)
    for slot in ("encoder", "decoder"):
        rnn = config[slot].params.get("rnn_cell")
        if rnn is not None:
            where = f"{slot}.params.rnn_cell.cell_class"
            _check_class(resolve_class("cell", rnn.cell_class, where), tuple(runtime.CELLS), where)
    _check_search(config, any_beam_search)


def _check_search(config: ConfigDict, any_beam_search: bool) -> None:
    inference = make_inference_config(config.inference)
    if inference.ensemble:
        what = "an ensemble cannot be exported; use --config.inference.ensemble="
        raise UserError("inference.ensemble", what)
    if inference.sampling.enable:
        what = "sampling cannot be exported; use --config.inference.sampling.enable=False"
        raise UserError("inference.sampling.enable", what)
    values = {field.name: getattr(inference, field.name) for field in _fields(inference)}
    _check_defaults("inference.", values, InferenceConfig(), _SEARCH_KEYS)
    where, beam = "inference.beam_search.", config.inference.beam_search
    keys = _BEAM_KEYS + _DIVERSE_KEYS
    _check_defaults(where, beam, BeamSearchConfig(), keys)
    if not any_beam_search:
        for key, default in (("diversity_groups", 1), ("choose_successors_fn", choose_top_k)):
            default = getattr(default, "__name__", default)
            if beam[key] != default:
                what = f"is {beam[key]}, which this export cannot do"
                what += f"; use --config.{where}{key}={default}, or --format=stablehlo"
                raise UserError(where + key, what)


def _check_defaults(
    prefix: str, values: Mapping[str, Any], defaults: Any, known: Collection[str]
) -> None:
    """Raise UserError if a key that the programs do not know has another value than its default."""
    for field in _fields(defaults):
        if field.name in known or field.name not in values:
            continue
        value, default = values[field.name], getattr(defaults, field.name)
        if isinstance(value, ConfigDict):
            value, default = value.to_dict(), dataclasses.asdict(default)
        if value != default:
            what = f"is {value}, which cannot be exported"
            if isinstance(default, (bool, int, float, str)):
                what += f"; use --config.{prefix}{field.name}={default}"
            raise UserError(prefix + field.name, what)


def _check_class(found: type, names: Collection[str], where: str) -> None:
    if found.__name__ not in names or not _is_ours(found):
        what = f"{found.__name__} cannot be exported; the exports know {', '.join(names)}"
        raise UserError(where, what)


def _is_ours(found: type) -> bool:
    return found.__module__.startswith("seq2seq_jax.models.")


def _fields(values: Any) -> tuple[Any, ...]:
    return dataclasses.fields(values)
