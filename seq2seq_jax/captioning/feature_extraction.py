"""The grid features of an encoder that is not trained: computed once, and cached."""

from collections.abc import Callable, Mapping

import jax
import numpy as np
from jaxtyping import PyTree

from seq2seq_jax.captioning.data.decoded_images import DecodedImages
from seq2seq_jax.captioning.data.feature_cache import CachedFeatures, cached_features
from seq2seq_jax.captioning.data.image_variants import ImageVariants
from seq2seq_jax.captioning.models.feature_head import FeatureHeadConfig
from seq2seq_jax.captioning.models.image_encoder import ImageEncoder
from seq2seq_jax.storage.arrays import digest
from seq2seq_jax.utils.cache_dir import cache_dir


def extract_features(
    encoder: ImageEncoder,
    variables: Mapping[str, PyTree],
    images: DecodedImages | ImageVariants,
    *,
    images_digest: str,
    dtype: str = "float32",
) -> CachedFeatures:
    """Find the grid features of images in the user's cache directory, or compute them.

    Args:
      encoder: The encoder; its head does not matter.
      variables: Its variables by collection; `params` are not used.
      images: The images.
      images_digest: A digest of the bytes of the images.
      dtype: "float32", or "float16" for half the space.

    Returns:
      The features.

    Raises:
      UserError: An image is broken, and `images` does not skip such images.
    """
    frozen = {name: tree for name, tree in variables.items() if name != "params"}
    return cached_features(
        _compute_features(encoder, frozen),
        images,
        images_digest=images_digest,
        weights_digest=digest(frozen),
        network=str(encoder.clone(head=FeatureHeadConfig())),
        directory=cache_dir("features"),
        dtype=dtype,
    )


def _compute_features(
    encoder: ImageEncoder, variables: Mapping[str, PyTree]
) -> Callable[[np.ndarray], np.ndarray]:
    @jax.jit
    def grid_features(variables: PyTree, images: jax.Array) -> PyTree:
        return encoder.apply(variables, images, method="grid_features")

    on_device = jax.tree.map(jax.numpy.asarray, variables)
    return lambda images: np.asarray(grid_features(on_device, images))
