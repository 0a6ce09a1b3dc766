"""The base class of image encoders."""

from typing import Annotated, ClassVar

import jax
from flax import linen as nn
from jaxtyping import PyTree

from seq2seq_jax.captioning.data.image_batches import Images
from seq2seq_jax.captioning.models.feature_head import FeatureHead, FeatureHeadConfig
from seq2seq_jax.models.encoders import EncoderOutput
from seq2seq_jax.schema.rules import between

Array = jax.Array


class ImageEncoder(nn.Module):
    """An encoder in two parts: a network that computes grid features, and a head over them.

    A subclass defines `grid_features`, and can have another head. If it overrides `setup`,
    it must call `super().setup()`. Where `trainable` is "none", the features of each image are
    computed once and cached, so they must not depend on `params` or on other images of the batch.

    Example:
      >>> class MeanColour(ImageEncoder):
      ...     trainable: str = "none"
      ...
      ...     def grid_features(self, images, *, train=False):
      ...         return images.mean((1, 2))[:, None] / 255
      >>> images = jax.numpy.ones((2, 4, 6, 3))
      >>> encoded, _ = MeanColour().init_with_output(jax.random.key(0), images)
      >>> encoded.outputs.shape
      (2, 1, 3)

    Attributes:
      resize_height: Images are resized to this height, in pixels.
      resize_width: Images are resized to this width, in pixels.
      trainable: What is trained of the network below the head: all or none.
    """

    modality: ClassVar[str] = "image"

    resize_height: Annotated[int, between(1, 4096)] = 299
    resize_width: Annotated[int, between(1, 4096)] = 299
    trainable: str = "all"
    head: FeatureHeadConfig = FeatureHeadConfig()

    def setup(self) -> None:
        """Create the head."""
        self.feature_head = self.make_head()

    def make_head(self) -> nn.Module:
        """Return the module that computes the encoder's output from grid features."""
        return FeatureHead(self.head)

    def initialize_head(self, images: Images, copies_per_image: int) -> dict[str, PyTree]:
        """Compute initial parameters of the head from the training images.

        Args:
          images: The training images; the variants of each follow it. They are `CachedFeatures` if
            the network is not trained and `images.cache_features` is true.
          copies_per_image: One more than the number of variants.

        Returns:
          Parameters by their names in the head. Those that are missing are drawn from the seed, as
          all of them are by default.
        """
        return {}

    def __call__(self, images: Array, *, train: bool = False) -> EncoderOutput:
        """Encode images.

        Args:
          images: As in `grid_features`.
          train: Whether to apply dropout, and to normalize by the statistics of the batch.

        Returns:
          The output for attention and the bridge.
        """
        return self.encode_features(self.grid_features(images, train=train), train=train)

    def grid_features(self, images: Array, *, train: bool = False) -> Array:
        """Compute the features of each spatial position.

        Args:
          images: [B, H, W, 3] uint8.
          train: Whether to normalize by the statistics of the batch.

        Returns:
          [B, S, C], row by row from the top left.
        """
        raise NotImplementedError

    def encode_features(self, features: Array, *, train: bool = False) -> EncoderOutput:
        """Compute the encoder's output from grid features.

        Args:
          features: [B, S, C], just computed or cached.
          train: Whether to apply dropout.

        Returns:
          The output for attention and the bridge.
        """
        output: EncoderOutput = self.feature_head(features, train=train)
        return output
