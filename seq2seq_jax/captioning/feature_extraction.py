"""What an encoder that is not trained makes of pictures: computed once, and kept."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from flax import linen as nn

from seq2seq_jax.captioning.data.decoded_images import DecodedImages
from seq2seq_jax.captioning.data.feature_cache import CachedFeatures, cached_features
from seq2seq_jax.captioning.data.image_variants import ImageVariants
from seq2seq_jax.captioning.models.inception_encoder import CellReader
from seq2seq_jax.storage.arrays import digest
from seq2seq_jax.utils.cache_dir import cache_dir


def frozen_features(
    encoder: nn.Module,
    variables: Mapping[str, Any],
    images: DecodedImages | ImageVariants,
    *,
    images_digest: str,
    dtype: str = "float32",
) -> CachedFeatures:
    """Finds the encoder's cells of pictures in the user's cache folder, or computes them.

    Args:
      variables: of the encoder, by collection; `params` do not count.
      images_digest: of the pictures' bytes.
      dtype: "float32", or "float16" for half the room.

    Raises:
      UserError: a picture is broken, and `images` does not pass over such ones.
    """
    untrained = {name: tree for name, tree in variables.items() if name != "params"}
    return cached_features(
        _compute_features(encoder, untrained),
        images,
        images_digest=images_digest,
        weights_digest=digest(untrained),
        block=str(_without_reader(encoder)),
        folder=cache_dir("features"),
        dtype=dtype,
    )


def _without_reader(encoder: nn.Module) -> nn.Module:
    """The encoder with what reads the cells as it is by default: they do not depend on it."""
    names = {field.name for field in dataclasses.fields(CellReader)} - {"parent", "name"}
    default = CellReader()
    return encoder.clone(
        **{name: getattr(default, name) for name in names if hasattr(encoder, name)}
    )


def _compute_features(
    encoder: nn.Module, variables: Mapping[str, Any]
) -> Callable[[np.ndarray], np.ndarray]:
    @jax.jit
    def cells(variables: Any, images: jax.Array) -> Any:
        return encoder.apply(variables, images, method="cells")

    on_device = jax.tree.map(jax.numpy.asarray, variables)
    return lambda images: np.asarray(cells(on_device, images))
