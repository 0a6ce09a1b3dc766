"""The initial weights of an image encoder."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import PyTree
from ml_collections import ConfigDict

from seq2seq_jax.captioning.models.image_encoder import ImageEncoder
from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
from seq2seq_jax.captioning.weights.inception_weights import (
    inception_variables,
    read_inception_weights,
)
from seq2seq_jax.config import trusted_names
from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.models.build import COLLECTIONS
from seq2seq_jax.storage.run_reference import parse_run_reference
from seq2seq_jax.storage.workdir import Workdir

_PRETRAINED_SETTINGS = ("scaling", "pools_count_padding", "batch_norm_scale")


def with_pretrained_settings(config: ConfigDict, workdir: Workdir) -> ConfigDict:
    """Fill in the parameters of the encoder that its file of pretrained weights decides.

    They are the input scaling, unless the configuration gives it; how average pools divide; and
    whether batch normalization has a scale. A run that is resumed keeps those that it began with,
    and does not need the file; nor does one that starts from a run with the same file.

    Args:
      config: A resolved configuration of an image model.
      workdir: The workdir of the run.

    Returns:
      The configuration, or a changed copy.

    Raises:
      UserError: The file cannot be read.
    """
    encoder_class = resolve_class("encoder", config.encoder["class"], "encoder.class")
    if not (issubclass(encoder_class, InceptionV3Encoder) and config.encoder.params.weights):
        return config
    params = config.encoder.params.to_dict()
    settings: dict[str, object] = {}
    runs = [workdir]
    if config.initialize_from:
        initial = parse_run_reference(config.initialize_from).path
        runs.append(Workdir(initial, workdir.trust is True or trusted_names(config)))
    for run in runs:
        if run.config_file.exists() and not settings:
            before = run.config().encoder.params.to_dict()
            if before.get("weights") == params["weights"]:
                settings = {name: before[name] for name in _PRETRAINED_SETTINGS}
    if not settings:
        settings = read_inception_weights(params["weights"]).settings
    if params["scaling"]:
        settings = settings | {"scaling": params["scaling"]}
    new = config.copy_and_resolve_references()
    new.encoder.params.update(settings)
    return new


def encoder_variables(
    config: ConfigDict, encoder: ImageEncoder, workdir: Workdir
) -> dict[str, Mapping[str, PyTree]]:
    """Return the variables of the encoder by collection.

    They come from the file of weights or, without one, from the seed. For a run that is resumed
    they come from the workdir, without `params`.

    Args:
      config: The configuration from `with_pretrained_settings`.
      encoder: The encoder of the configuration.
      workdir: The workdir of the run.

    Raises:
      UserError: The file cannot be read, or does not fit.
    """
    images = jnp.zeros((1, encoder.resize_height, encoder.resize_width, 3), jnp.uint8)

    def init() -> dict[str, PyTree]:
        return dict(encoder.init(jax.random.key(config.seed), images, mutable=COLLECTIONS))

    if workdir.checkpoints(config).latest_step() is not None:
        shapes = jax.eval_shape(init)
        template = {name: {"encoder": tree} for name, tree in shapes.items() if name != "params"}
        stored = workdir.non_trainable(template)
        return {name: tree["encoder"] for name, tree in stored.items()}
    if isinstance(encoder, InceptionV3Encoder) and encoder.weights:
        return inception_variables(encoder, read_inception_weights(encoder.weights))
    drawn: dict[str, Mapping[str, PyTree]] = jax.jit(init)()
    return drawn
