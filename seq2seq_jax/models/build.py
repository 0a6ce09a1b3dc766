"""From a resolved configuration to a model: names become classes, params their arguments."""

import dataclasses
import inspect
import math
import os
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.models.features import FeatureReader
from seq2seq_jax.models.model_config import EmbeddingConfig
from seq2seq_jax.schema.parameters import construct
from seq2seq_jax.schema.rules import LARGEST_INT
from seq2seq_jax.utils.errors import UserError

Params = Mapping[str, Any]

COLLECTIONS = ("params", "frozen", "batch_stats")
"""Collections of a model's variables: trained weights, frozen weights, batch statistics."""


def build_model(
    config: ConfigDict,
    source_vocab_size: int,
    target_vocab_size: int,
    features_vocab_size: int = 0,
) -> nn.Module:
    """Build the model that a configuration describes, and check that its parts fit together.

    Args:
      config: A resolved configuration.
      source_vocab_size: Number of source tokens; 0 for a model whose source is not text.
      target_vocab_size: Number of target tokens, special tokens included.
      features_vocab_size: Number of features, special tokens included; 0 for a model that reads
        none.

    Returns:
      The model, without parameters (see `init_params`).

    Raises:
      UserError: Parts do not fit, with the key to change; nothing has been compiled yet.
    """
    if config.embedding.share and not source_vocab_size:
        raise UserError("embedding.share", "is true, but the source is no text; leave it out")
    if config.embedding.share and source_vocab_size != target_vocab_size:
        raise UserError(
            "embedding.share",
            "requires vocabularies of one size, but the source has"
            f" {source_vocab_size} and the target {target_vocab_size} tokens;"
            " use one joint vocabulary for both sides",
        )
    model_class = resolve_class("model", config.model, "model")
    slots = {field.name for field in dataclasses.fields(model_class.config_class)}
    attention: dict[str, object] = {}
    if "attention" in slots:
        attention["attention"] = _build(config, "attention")
    model: nn.Module = model_class(
        encoder=build_encoder(config, remat=config.remat),
        bridge=_build(config, "bridge"),
        decoder=_build(config, "decoder", vocab_size=target_vocab_size, **attention),
        target_vocab_size=target_vocab_size,
        embedding=EmbeddingConfig(**config.embedding),
        remat=config.remat,
        **model_class.source_options(config, source_vocab_size),
        **_build_features(config, features_vocab_size),
    )
    _check_sizes(variable_shapes(model)["params"])
    return model


def build_encoder(config: ConfigDict, key: str = "encoder", *, remat: bool) -> nn.Module:
    """Build an encoder alone.

    Args:
      config: A resolved configuration, or the group of it that has the slot `encoder`.
      key: The dotted key of the slot, for errors.
      remat: Whether to save memory, see the key `remat`.

    Returns:
      The encoder, without parameters.

    Raises:
      UserError: The encoder's class cannot be imported.
    """
    encoder_class = resolve_class("encoder", config.encoder["class"], f"{key}.class")
    takes_remat = "remat" in inspect.signature(encoder_class).parameters
    supplied: dict[str, object] = {"remat": remat} if takes_remat else {}
    return _build(config, "encoder", key, **supplied)


def init_params(model: nn.Module, seed: int) -> Params:
    """Draw initial parameters from a seed.

    Args:
      model: What `build_model` returned.
      seed: The seed; the parameters do not depend on the shapes of batches.

    Returns:
      The parameters, nested by module.
    """

    @jax.jit  # Compiling only the draws is faster than running the whole model op by op.
    def init(key: jax.Array) -> Params:
        params: Params = _init(model, key)["params"]
        return params

    params: Params = init(jax.random.key(seed))
    return params


def variable_shapes(model: nn.Module) -> dict[str, Any]:
    """Return the shapes of all variables of a model, by collection; most have `params` only.

    Args:
      model: What `build_model` returned.

    Returns:
      The shapes, nested by collection and module.
    """
    shapes: dict[str, Any] = jax.eval_shape(lambda: _init(model, jax.random.key(0)))
    return shapes


def updated(params: Params, given: Params) -> Params:
    """Return the parameters with some of them replaced.

    Args:
      params: Parameters, nested by module.
      given: The parameters that replace theirs, nested in the same way.

    Returns:
      New nested parameters.
    """
    merged: Params = unflatten_dict({**flatten_dict(params), **flatten_dict(given)})
    return merged


def _check_sizes(shapes: Params) -> None:
    """Raise UserError at an array that XLA cannot index, or if the weights exceed the memory."""
    sizes = {path: math.prod(leaf.shape) for path, leaf in flatten_dict(shapes).items()}
    largest = max(sizes, key=lambda path: sizes[path])
    name = f"{'/'.join(largest)} of shape {flatten_dict(shapes)[largest].shape}"
    if sizes[largest] > LARGEST_INT:
        what = (
            f"{name} has more than {LARGEST_INT} elements; use fewer units or a smaller vocabulary"
        )
        raise UserError("model", what)
    needed, available = 8 * sum(sizes.values()), _total_memory()  # weights and gradients, float32
    if needed > available:
        what = (
            f"its weights and their gradients need {needed / 1e9:.0f} GB, but the memory is"
            f" {available / 1e9:.0f} GB; use fewer units or layers (the largest array is {name})"
        )
        raise UserError("model", what)


def _total_memory() -> float:
    """Return the memory of this machine in bytes; infinity where the system does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def _build_features(config: ConfigDict, vocab_size: int) -> dict[str, nn.Module]:
    """Return the reader of features as a keyword of the model; nothing if it reads none."""
    if "features" not in config or config.features.combine == "none":
        return {}
    combine, encoder = config.features.combine, None
    if not vocab_size:
        what = f"is {combine}, but there is no vocabulary of features; restore vocab.features.txt"
        raise UserError("features.combine", f"{what}, or use none")
    if combine != "source":
        encoder = build_encoder(config.features, "features.encoder", remat=config.remat)
    reader = FeatureReader(
        vocab_size=vocab_size,
        combine=combine,
        embedding=EmbeddingConfig(**config.embedding),
        unk_probability=config.features.unk_probability,
        encoder=encoder,
    )
    return {"features": reader}


def _build(config: ConfigDict, slot: str, key: str = "", /, **supplied: Any) -> nn.Module:
    """Construct the class that the slot names with its `params`; `key` is its dotted key."""
    part, key = config[slot], key or slot
    part_class = resolve_class(slot, part["class"], f"{key}.class")
    params = part.params.to_dict()
    module: nn.Module = construct(part_class, params, resolve_class, f"{key}.params", **supplied)
    return module


def _init(model: Any, key: jax.Array) -> dict[str, Any]:
    targets = jnp.zeros((1, 2), jnp.int32)
    return dict(model.init(key, *model.dummy_inputs(), targets, mutable=COLLECTIONS))
