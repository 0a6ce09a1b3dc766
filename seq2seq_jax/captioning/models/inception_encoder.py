"""InceptionV3 as an image encoder."""

from typing import Annotated

import jax
import jax.numpy as jnp

from seq2seq_jax.captioning.models.image_encoder import ImageEncoder
from seq2seq_jax.captioning.models.inception_blocks import BLOCKS
from seq2seq_jax.captioning.models.inception_v3 import InceptionV3
from seq2seq_jax.schema.rules import FRACTION, between, one_of
from seq2seq_jax.utils.errors import UserError

Array = jax.Array

SCALINGS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "inception": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""The input scaling that weights expect, by name: (x / 255 - mean) / deviation, for each channel.

"inception", which is x / 127.5 - 1, is what the weights of Keras and of torchvision expect: the
latter's `transform_input` undoes its scaling by the means and deviations of "imagenet".
"""


class InceptionV3Encoder(ImageEncoder):
    """The feature map of a block of InceptionV3.

    The weights of the blocks before `trainable` are in the collection `frozen`, the others in
    `params`. For small images the last blocks carry little information: mixed10 has one position
    for an image of 75 x 75 pixels, mixed4 has 3 x 3 and mixed2 has 7 x 7.

    Attributes:
      resize_height: Images are resized to this height, in pixels.
      resize_width: Images are resized to this width, in pixels.
      trainable: The first block that is trained, all or none.
      block: The block whose feature map is used; for small images an early one.
      weights: File of pretrained weights, of Keras, torchvision or timm; empty: random weights.
      scaling: Input scaling: inception is x / 127.5 - 1, imagenet uses ImageNet's means and
        deviations, unit is x / 255; empty: what the weights expect.
      pools_count_padding: Average pools count the padding, as in torchvision; the weights' file
        decides.
      batch_norm_scale: Batch normalization has a scale, as in torchvision; the weights' file
        decides.
      batch_norm_momentum: Momentum of the moving averages of batch normalization.
    """

    resize_height: Annotated[int, between(75, 4096)] = 299
    resize_width: Annotated[int, between(75, 4096)] = 299
    trainable: Annotated[str, one_of("none", "all", *BLOCKS)] = "none"
    block: Annotated[str, one_of(*BLOCKS)] = InceptionV3.block
    weights: str = ""
    scaling: Annotated[str, one_of("", *SCALINGS)] = ""
    pools_count_padding: bool = InceptionV3.pools_count_padding
    batch_norm_scale: bool = InceptionV3.batch_norm_scale
    batch_norm_momentum: Annotated[float, FRACTION] = InceptionV3.batch_norm_momentum

    def setup(self) -> None:
        """Create the network and the head."""
        super().setup()
        self.network = InceptionV3(
            block=self.block,
            trainable=self.trainable,
            pools_count_padding=self.pools_count_padding,
            batch_norm_scale=self.batch_norm_scale,
            batch_norm_momentum=self.batch_norm_momentum,
        )

    def grid_features(self, images: Array, *, train: bool = False) -> Array:
        """Compute the feature map of `block`.

        Args:
          images: [B, H, W, 3], uint8, or floats that are scaled as the weights expect. Another size
            than the encoder's is resized to it.
          train: Whether the trained blocks normalize by the statistics of the batch.

        Returns:
          [B, S, C], row by row from the top left.
        """
        images = self._resize(scale_images(images, self.scaling or "inception"))
        feature_map = self.network(images, train=train)
        features: Array = feature_map.reshape(len(feature_map), -1, feature_map.shape[-1])
        return features

    def _resize(self, images: Array) -> Array:
        """Interpolate bilinearly, with antialiasing where the image shrinks."""
        size = (self.resize_height, self.resize_width)
        if images.shape[1:3] == size:
            return images
        shape = (images.shape[0], *size, images.shape[3])
        resized: Array = jax.image.resize(images, shape, "bilinear", antialias=True)
        return resized


def scale_images(images: Array, scaling: str) -> Array:
    """Scale pixels as weights expect them; floats are returned as they are.

    Args:
      images: [..., 3], uint8 or floats.
      scaling: A key of `SCALINGS`.

    Returns:
      [..., 3] floats.

    Raises:
      UserError: The images have another type.

    Example:
      >>> scale_images(jnp.array([0, 255, 0], jnp.uint8), "inception")
      Array([-1.,  1., -1.], dtype=float32)
    """
    if jnp.issubdtype(images.dtype, jnp.floating):
        return images
    if images.dtype != jnp.uint8:
        raise UserError(
            "images", f"must be uint8, or floats that are scaled already; got {images.dtype}"
        )
    mean, deviation = (jnp.asarray(numbers, jnp.float32) for numbers in SCALINGS[scaling])
    return images.astype(jnp.float32) / (255 * deviation) - mean / deviation
