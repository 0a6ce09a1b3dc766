"""What reads a picture's cells, as it begins: made of the pictures, where it is not drawn."""

from typing import Any

import jax
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from seq2seq_jax.data.pictures.discriminants import discriminants
from seq2seq_jax.data.pictures.feature_cache import CachedFeatures
from seq2seq_jax.data.pictures.image_batches import Images
from seq2seq_jax.errors import UserError


def reader_start(config: ConfigDict, encoder: nn.Module, images: Images) -> dict[str, Any]:
    """The parameters of the encoder's `CellReader` that are not drawn from the seed.

    Args:
      images: of the training set, each picture before its variants.

    Raises:
      UserError: a key asks for what these pictures do not give.
    """
    params: dict[str, Any] = {}
    if config.pictures.projection == "discriminants":
        params["project"] = _projection(config, images)
    if getattr(encoder, "num_prototypes", 0):
        params["prototypes"] = {"vectors": _prototypes(config, encoder, images, params)}
    return params


def _projection(config: ConfigDict, images: Images) -> dict[str, np.ndarray]:
    """The layer over the features of each place."""
    units, variants = config.encoder.params.get("num_units", 0), config.pictures.variants
    where = "pictures.projection"
    features = _kept(images, where, "discriminants, which are those of")
    if not variants:
        raise UserError(where, "is discriminants, which needs pictures.variants")
    if not 1 <= units <= features.shape[-1]:
        raise UserError(
            where,
            f"is discriminants, which needs encoder.params.num_units from 1 to the"
            f" {features.shape[-1]} features of a place; it is {units}",
        )
    kernel, bias = discriminants(features, variants, units)
    return {"kernel": kernel, "bias": bias}


def _prototypes(
    config: ConfigDict, encoder: nn.Module, images: Images, params: dict[str, Any]
) -> np.ndarray:
    """[K, D]: of each of K pictures the mean of what is read of it and of its variants."""
    where, number = "encoder.params.num_prototypes", encoder.num_prototypes
    features = _kept(images, where, f"{number:,}, and prototypes begin as")
    if encoder.num_units and not params:
        raise UserError(
            where,
            f"is {number:,}, which needs a layer over the features that does not begin at random:"
            " pictures.projection=discriminants, or encoder.params.num_units=0, would do",
        )
    of_each = 1 + config.pictures.variants
    whole = [i for i in range(len(features) // of_each) if i * of_each not in features.broken]
    if number > len(whole):
        raise UserError(where, f"is {number:,}, but there are {len(whole):,} training pictures")
    chosen = np.linspace(0, len(whole) - 1, number).astype(np.int64)
    reader = encoder.clone(num_prototypes=0)

    @jax.jit
    def read(cells: jax.Array) -> jax.Array:
        return reader.apply({"params": {"reader": params}}, cells, method="read").final_state

    return np.stack(
        [
            np.mean(read(features.features[first : first + of_each].astype(np.float32)), axis=0)
            for first in (whole[i] * of_each for i in chosen)
        ]
    )


def _kept(images: Images, key: str, what: str) -> CachedFeatures:
    if not isinstance(images, CachedFeatures):
        raise UserError(
            key,
            f"is {what} features that are computed once: an encoder that is not trained, and"
            " pictures.cache_features, would do",
        )
    return images
