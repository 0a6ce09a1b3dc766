"""The initial parameters of an encoder's head that are computed from the training images."""

import dataclasses
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.captioning.data.discriminants import MAX_IMAGES, discriminants
from seq2seq_jax.captioning.data.feature_cache import CachedFeatures
from seq2seq_jax.captioning.data.image_batches import Images
from seq2seq_jax.captioning.models.image_encoder import ImageEncoder
from seq2seq_jax.utils.errors import UserError

_PROJECTION = "images.projection"
_PROTOTYPES = "encoder.params.head.num_prototypes"


def initialize_head(config: ConfigDict, encoder: ImageEncoder, images: Images) -> dict[str, Any]:
    """Compute the parameters of the encoder's `FeatureHead` that are not drawn from the seed.

    Args:
      config: A resolved configuration.
      encoder: Its encoder.
      images: The training images; the variants of each follow it.

    Returns:
      Parameters by their names in the head; empty if all are drawn.

    Raises:
      UserError: A key asks for something that these images cannot give.
    """
    copies_per_image = 1 + config.images.variants
    params: dict[str, Any] = {}
    if config.images.projection == "discriminants":
        features = _require_features(images, _PROJECTION, "discriminants, which are computed from")
        params |= _discriminant_layers(encoder, features, copies_per_image)
    if encoder.head.num_prototypes:
        what = f"{encoder.head.num_prototypes:,}, and prototypes are initialized with"
        features = _require_features(images, _PROTOTYPES, what)
        params["prototypes"] = {"vectors": _prototypes(encoder, params, features, copies_per_image)}
    return params


def _discriminant_layers(
    encoder: ImageEncoder, features: CachedFeatures, copies_per_image: int
) -> dict[str, Any]:
    """Return the layer over the features of each position, and that over the final state."""
    _check_discriminants(encoder, copies_per_image, features.shape)
    params: dict[str, Any] = {}
    if encoder.head.num_units:
        params["project"] = _dense(features, copies_per_image, encoder.head.num_units)
    if encoder.head.final_units:
        below = _clone(encoder, final_units=0, num_prototypes=0)
        chosen = _spread(features, copies_per_image, MAX_IMAGES)
        states = _final_states(below, params, features, chosen, copies_per_image)
        states_as_features = CachedFeatures(
            states.reshape(-1, 1, states.shape[-1]), set(), features.digest
        )
        params["project_final"] = _dense(
            states_as_features, copies_per_image, encoder.head.final_units
        )
    return params


def _prototypes(
    encoder: ImageEncoder, params: dict[str, Any], features: CachedFeatures, copies_per_image: int
) -> np.ndarray:
    """Return [K, D]: for K images, the mean final state of the image and its variants."""
    head = encoder.head
    if (head.num_units or head.final_units) and not params:
        raise UserError(
            _PROTOTYPES,
            f"is {head.num_prototypes:,}, and prototypes cannot be initialized above a layer with"
            f" random weights; use {_PROJECTION}=discriminants",
        )
    usable = len(_usable(features, copies_per_image))
    if head.num_prototypes > usable:
        what = f"is {head.num_prototypes:,}, but there are {usable:,} training images"
        raise UserError(_PROTOTYPES, what)
    chosen = _spread(features, copies_per_image, head.num_prototypes)
    below = _clone(encoder, num_prototypes=0)
    return _final_states(below, params, features, chosen, copies_per_image).mean(axis=1)


def _check_discriminants(
    encoder: ImageEncoder, copies_per_image: int, shape: tuple[int, ...]
) -> None:
    head = encoder.head
    if copies_per_image == 1:
        raise UserError(_PROJECTION, "is discriminants, which needs images.variants")
    if not head.num_units and not head.final_units:
        raise UserError(_PROJECTION, "is discriminants, which needs encoder.params.head.num_units")
    positions, channels = shape
    width = (head.num_units or channels) * (positions if head.final_state == "grid" else 1)
    for name, units, most, of in (
        ("num_units", head.num_units, channels, "a position"),
        ("final_units", head.final_units, width, "an image"),
    ):
        if units > most:
            raise UserError(
                _PROJECTION,
                f"is discriminants, which needs encoder.params.head.{name} from 1 to the {most}"
                f" features of {of}; it is {units}",
            )


def _clone(encoder: ImageEncoder, **changes: Any) -> ImageEncoder:
    return encoder.clone(head=dataclasses.replace(encoder.head, **changes))


def _dense(features: CachedFeatures, copies_per_image: int, units: int) -> dict[str, np.ndarray]:
    kernel, bias = discriminants(features, copies_per_image - 1, units)
    return {"kernel": kernel, "bias": bias}


def _final_states(
    encoder: ImageEncoder,
    params: dict[str, Any],
    features: CachedFeatures,
    images: list[int],
    copies_per_image: int,
) -> np.ndarray:
    """Return [P, copies_per_image, D], the final states of P images and their variants."""

    @jax.jit
    def final_state(features: jax.Array) -> jax.Array:
        variables = {"params": {"feature_head": params}}
        encoded: Any = encoder.apply(variables, features, method="encode_features")
        return encoded.final_state

    firsts = (image * copies_per_image for image in images)
    groups = (
        features.features[first : first + copies_per_image].astype(np.float32) for first in firsts
    )
    return np.stack([np.asarray(final_state(group)) for group in groups])


def _usable(features: CachedFeatures, copies_per_image: int) -> list[int]:
    """Return the indices of the images that are not broken."""
    return [
        i
        for i in range(len(features) // copies_per_image)
        if i * copies_per_image not in features.broken
    ]


def _spread(features: CachedFeatures, copies_per_image: int, number: int) -> list[int]:
    """Return at most `number` evenly spread indices of images that are not broken."""
    usable = _usable(features, copies_per_image)
    chosen = np.linspace(0, len(usable) - 1, min(number, len(usable))).astype(np.int64)
    return [usable[i] for i in chosen]


def _require_features(images: Images, key: str, what: str) -> CachedFeatures:
    if not isinstance(images, CachedFeatures):
        raise UserError(
            key,
            f"is {what} cached features; use encoder.params.trainable=none and"
            " images.cache_features=true",
        )
    return images
