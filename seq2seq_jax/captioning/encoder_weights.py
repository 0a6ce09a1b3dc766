"""The weights that an encoder of pictures begins with."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from seq2seq_jax.captioning.models.image2seq import image_size
from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
from seq2seq_jax.captioning.weights.inception_weights import (
    inception_variables,
    read_inception_weights,
)
from seq2seq_jax.models.build import COLLECTIONS
from seq2seq_jax.storage.workdir import Workdir


def with_pretrained_settings(config: ConfigDict, workdir: Workdir) -> ConfigDict:
    """The configuration with those parameters of the encoder that its file of weights decides: how
    pictures are scaled, unless it says so itself; how pools divide; whether batch norm has a scale.

    In a run that goes on they are those it began with, and the file is not needed any more.

    Raises:
      UserError: the file cannot be read.
    """
    if config.encoder["class"] != "InceptionV3Encoder" or not config.encoder.params.weights:
        return config
    params = config.encoder.params.to_dict()
    if workdir.config_file.exists():
        before = workdir.config().encoder.params.to_dict()
        same_file = before.get("weights") == params["weights"]
        settings = {name: before[name] for name in _DECIDED} if same_file else {}
    else:
        settings = {}
    if not settings:
        settings = read_inception_weights(params["weights"]).settings
    if params["scaling"]:
        settings = settings | {"scaling": params["scaling"]}
    new = config.copy_and_resolve_references()
    new.encoder.params.update(settings)
    return new


def encoder_variables(
    config: ConfigDict, encoder: nn.Module, workdir: Workdir
) -> dict[str, Mapping[str, Any]]:
    """The variables of an encoder of pictures, by collection: of the file of weights, or, without
    one, drawn from the seed. In a run that goes on, without `params`: as it began.

    Args:
      config: see `with_pretrained_settings`.

    Raises:
      UserError: the file cannot be read, or does not fit.
    """
    images = jnp.zeros((1, *image_size(encoder), 3), jnp.uint8)

    def init() -> dict[str, Any]:
        return dict(encoder.init(jax.random.key(config.seed), images, mutable=COLLECTIONS))

    if workdir.checkpoints(config).latest_step() is not None:
        shapes = jax.eval_shape(init)
        template = {name: {"encoder": tree} for name, tree in shapes.items() if name != "params"}
        stored = workdir.non_trainable(template)
        return {name: tree["encoder"] for name, tree in stored.items()}
    if isinstance(encoder, InceptionV3Encoder) and config.encoder.params.weights:
        return inception_variables(encoder, read_inception_weights(config.encoder.params.weights))
    return jax.jit(init)()


_DECIDED = ("scaling", "pools_count_padding", "batch_norm_scale")
