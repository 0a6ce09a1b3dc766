"""What reads a picture's cells, as it begins: made of the pictures, where it is not drawn."""

from typing import Any

import jax
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from seq2seq_jax.captioning.data.discriminants import MOST_PICTURES, discriminants
from seq2seq_jax.captioning.data.feature_cache import CachedFeatures
from seq2seq_jax.captioning.data.image_batches import Images
from seq2seq_jax.utils.errors import UserError


def initialize_head(config: ConfigDict, encoder: nn.Module, images: Images) -> dict[str, Any]:
    """The parameters of the encoder's `CellReader` that are not drawn from the seed.

    Args:
      images: of the training set, each picture before its variants.

    Raises:
      UserError: a key asks for what these pictures do not give.
    """
    copies_per_image = 1 + config.images.variants
    params: dict[str, Any] = {}
    if config.images.projection == "discriminants":
        features = _kept(images, "images.projection", "discriminants, which are those of")
        params |= _discriminant_layers(encoder, features, copies_per_image)
    if number := getattr(encoder, "num_prototypes", 0):
        where = "encoder.params.num_prototypes"
        features = _kept(images, where, f"{number:,}, and prototypes begin as")
        params["prototypes"] = {"vectors": _prototypes(encoder, params, features, copies_per_image)}
    return params


def _discriminant_layers(
    encoder: nn.Module, features: CachedFeatures, copies_per_image: int
) -> dict[str, Any]:
    """The layer over the features of each place, and that over those of the whole picture."""
    units, final_units = getattr(encoder, "num_units", 0), getattr(encoder, "final_units", 0)
    _check_discriminants(encoder, units, final_units, copies_per_image, features.shape)
    params = {}
    if units:
        params["project"] = _dense(features, copies_per_image, units)
    if final_units:
        reader = encoder.clone(final_units=0, num_prototypes=0)
        read = _read(
            reader, params, features, _spread(features, copies_per_image), copies_per_image
        )
        wholes = CachedFeatures(read.reshape(-1, 1, read.shape[-1]), set(), features.digest)
        params["project_final"] = _dense(wholes, copies_per_image, final_units)
    return params


def _prototypes(
    encoder: nn.Module, params: dict[str, Any], features: CachedFeatures, copies_per_image: int
) -> np.ndarray:
    """[K, D]: of each of K pictures the mean of what is read of it and of its variants."""
    where, number = "encoder.params.num_prototypes", encoder.num_prototypes
    if (encoder.num_units or encoder.final_units) and not params:
        raise UserError(
            where,
            f"is {number:,}, and prototypes cannot begin behind a layer that begins at random:"
            " images.projection=discriminants would do",
        )
    there = len(_whole(features, copies_per_image))
    if number > there:
        raise UserError(where, f"is {number:,}, but there are {there:,} training pictures")
    pictures = _spread(features, copies_per_image, number)
    return _read(
        encoder.clone(num_prototypes=0), params, features, pictures, copies_per_image
    ).mean(axis=1)


def _check_discriminants(
    encoder: nn.Module, units: int, final_units: int, copies_per_image: int, shape: tuple[int, ...]
) -> None:
    where = "images.projection"
    if copies_per_image == 1:
        raise UserError(where, "is discriminants, which needs images.variants")
    if not units and not final_units:
        raise UserError(where, "is discriminants, which needs encoder.params.num_units")
    cells, channels = shape
    if units > channels:
        raise UserError(
            where,
            f"is discriminants, which needs encoder.params.num_units from 1 to the {channels}"
            f" features of a place; it is {units}",
        )
    if not final_units:
        return
    width = (units or channels) * (cells if encoder.final_state == "cells" else 1)
    if final_units > width:
        raise UserError(
            where,
            f"is discriminants, which needs encoder.params.final_units from 1 to the {width}"
            f" features of a picture; it is {final_units}",
        )


def _dense(features: CachedFeatures, copies_per_image: int, units: int) -> dict[str, np.ndarray]:
    kernel, bias = discriminants(features, copies_per_image - 1, units)
    return {"kernel": kernel, "bias": bias}


def _read(
    reader: nn.Module,
    params: dict[str, Any],
    features: CachedFeatures,
    pictures: list[int],
    copies_per_image: int,
) -> np.ndarray:
    """Return [P, copies_per_image, D], the final states of these images and their variants."""

    @jax.jit
    def final_state(cells: jax.Array) -> jax.Array:
        encoded: Any = reader.apply({"params": {"reader": params}}, cells, method="read")
        return encoded.final_state

    firsts = (picture * copies_per_image for picture in pictures)
    rows = (
        features.features[first : first + copies_per_image].astype(np.float32) for first in firsts
    )
    return np.stack([np.asarray(final_state(cells)) for cells in rows])


def _whole(features: CachedFeatures, copies_per_image: int) -> list[int]:
    return [
        i
        for i in range(len(features) // copies_per_image)
        if i * copies_per_image not in features.broken
    ]


def _spread(
    features: CachedFeatures, copies_per_image: int, number: int = MOST_PICTURES
) -> list[int]:
    """So many pictures, evenly spread over those that are not broken."""
    whole = _whole(features, copies_per_image)
    places = np.linspace(0, len(whole) - 1, min(number, len(whole))).astype(np.int64)
    return [whole[place] for place in places]


def _kept(images: Images, key: str, what: str) -> CachedFeatures:
    if not isinstance(images, CachedFeatures):
        raise UserError(
            key,
            f"is {what} features that are computed once: an encoder that is not trained, and"
            " images.cache_features, would do",
        )
    return images
