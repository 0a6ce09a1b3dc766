"""From a resolved configuration to a model: names become classes, params their arguments."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

from seq2seq_jax.config.class_lookup import find_class
from seq2seq_jax.models import attention, bridges, cells, decoders, encoders, seq2seq
from seq2seq_jax.utils.errors import UserError

Params = Mapping[str, Any]

COLLECTIONS = ("params", "frozen", "batch_stats")
"""Where a model keeps what it has: what is trained, weights that are not, statistics of batches."""


def build_model(config: ConfigDict, source_vocab_size: int, target_vocab_size: int) -> nn.Module:
    """The model that the configuration describes; its parts are checked to fit together.

    Raises:
      UserError: parts that do not fit, with the key to change; nothing has been compiled yet.
    """
    if config.embedding.share and source_vocab_size != target_vocab_size:
        raise UserError(
            "embedding.share",
            "one table needs vocabularies of one size, but the source has"
            f" {source_vocab_size} and the target {target_vocab_size} tokens;"
            " one joint vocabulary for both sides would do",
        )
    model_class = find_class(seq2seq, "model", config.model)
    of_text = {}
    if "source" in config:
        of_text = {
            "source_vocab_size": source_vocab_size,
            "share_embedding": config.embedding.share,
            "reverse_source": config.source.reverse,
        }
    model = model_class(
        encoder=build_encoder(config),
        bridge=find_class(bridges, "bridge.class", config.bridge["class"])(
            **config.bridge.params.to_dict()
        ),
        decoder=_build_decoder(config, target_vocab_size),
        target_vocab_size=target_vocab_size,
        embedding_dim=config.embedding.dim,
        embedding_init_scale=config.embedding.init_scale,
        remat=config.remat,
        **of_text,
    )
    jax.eval_shape(lambda: init_params(model, seed=0))
    return model


def init_params(model: nn.Module, seed: int) -> Params:
    """Initial parameters, drawn from the seed; they depend on no batch's shape."""

    @jax.jit  # compiling only the draws is quicker than running the whole model op by op
    def init(key: jax.Array) -> Params:
        return _init(model, key)["params"]

    return init(jax.random.key(seed))


def variable_shapes(model: nn.Module) -> dict[str, Any]:
    """All that a model has, by the collection it is in; most have `params` alone."""
    return jax.eval_shape(lambda: _init(model, jax.random.key(0)))


def updated(params: Params, given: Params) -> Params:
    """The parameters with those that are given in the place of their own."""
    return unflatten_dict({**flatten_dict(params), **flatten_dict(given)})


def build_encoder(config: ConfigDict) -> nn.Module:
    """The encoder alone.

    Raises:
      UserError: its class cannot be imported.
    """
    encoder_class = find_class(encoders, "encoder.class", config.encoder["class"])
    params = _with_cell_class(config.encoder.params, "encoder")
    if "rnn_cell" in params:
        params["rnn_cell"]["remat"] = config.remat
    return encoder_class(**params)


def _build_decoder(config: ConfigDict, vocab_size: int) -> nn.Module:
    decoder_class = find_class(decoders, "decoder.class", config.decoder["class"])
    params = _with_cell_class(config.decoder.params, "decoder")
    params.pop("max_decode_length", None)  # is the search's, not the network's
    if "attention" not in config:
        return decoder_class(**params, vocab_size=vocab_size)
    attention_class = find_class(attention, "attention.class", config.attention["class"])
    layer = attention_class(**config.attention.params.to_dict())
    return decoder_class(**params, vocab_size=vocab_size, attention=layer)


def _with_cell_class(params: ConfigDict, slot: str) -> dict[str, Any]:
    """The params with the cell's class in the place of its name."""
    kwargs = params.to_dict()
    if "rnn_cell" in kwargs:
        key = f"{slot}.params.rnn_cell.cell_class"
        rnn_cell = kwargs["rnn_cell"]
        rnn_cell["cell_class"] = find_class(cells, key, rnn_cell["cell_class"])
    return kwargs


def _init(model: Any, key: jax.Array) -> dict[str, Any]:
    targets = jnp.zeros((1, 2), jnp.int32)
    return dict(model.init(key, *model.dummy_inputs(), targets, mutable=COLLECTIONS))
