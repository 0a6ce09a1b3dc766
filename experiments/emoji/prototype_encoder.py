"""An image encoder that starts as a nearest-neighbour classifier of the training images.

Its bridge receives the similarities of an image to prototypes. The layers below the prototypes are
initialized with discriminants, and each prototype with a training image, so that the untrained
encoder already finds the most similar image.
"""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from experiments.emoji.discriminants import MAX_IMAGES, discriminants
from seq2seq_jax.captioning.data.feature_cache import CachedFeatures
from seq2seq_jax.captioning.data.image_batches import Images
from seq2seq_jax.captioning.models.feature_head import FeatureHead, FeatureHeadConfig
from seq2seq_jax.captioning.models.image_encoder import ImageEncoder
from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
from seq2seq_jax.models.encoders import EncoderOutput
from seq2seq_jax.schema.rules import above, at_least
from seq2seq_jax.utils.errors import UserError

Array = jax.Array


@dataclass(frozen=True)
class PrototypeHeadConfig(FeatureHeadConfig):
    """The parameters `encoder.params.head.*` of a `PrototypeEncoder`.

    Attributes:
      num_prototypes: Number of prototypes.
      sharpness: Initial factor of the cosine similarities before the softmax; trained.
    """

    num_prototypes: Annotated[int, at_least(1)] = 1
    sharpness: Annotated[float, above(0)] = 20.0


class PrototypeEncoder(InceptionV3Encoder):
    """InceptionV3 below prototypes. It needs cached features and `images.variants`."""

    head: PrototypeHeadConfig = PrototypeHeadConfig()

    def make_head(self) -> nn.Module:
        """Return the head with prototypes."""
        return PrototypeHead(self.head)

    def initialize_head(self, images: Images, copies_per_image: int) -> dict[str, Any]:
        """Compute the layers and the prototypes from the training images."""
        return initialize_prototype_head(self, images, copies_per_image)


class PrototypeHead(nn.Module):
    """A feature head whose final state is replaced by its similarities to prototypes."""

    config: PrototypeHeadConfig

    def setup(self) -> None:
        """Create the feature head and the prototypes."""
        self.features = FeatureHead(self.config)
        self.prototypes = Prototypes(self.config.num_prototypes, self.config.sharpness)

    def __call__(self, features: Array, *, train: bool = False) -> EncoderOutput:
        """Encode features [B, S, C]; the final state is [B, num_prototypes]."""
        output = self.features(features, train=train)
        return output.replace(final_state=self.prototypes(output.final_state))


class Prototypes(nn.Module):
    """Similarities to trained prototype vectors.

      s_k = beta cos(x, p_k)
      a = softmax(s)

    A softmax over similarities to examples is a nearest-neighbour classifier that can be trained
    (Vinyals et al. 2016, "Matching Networks for One Shot Learning", arXiv:1606.04080). There the
    examples are fixed and the features are trained; here the p_k, which are initialized with
    examples, are trained too.

    Attributes:
      number: The number K of prototypes.
      sharpness: The initial value of beta.
    """

    number: int
    sharpness: float

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Compute the similarities a, [B, K], of x, [B, D]; each row sums to one."""
        shape = (self.number, x.shape[-1])
        vectors = self.param("vectors", nn.initializers.normal(1.0), shape)
        sharpness = self.param("sharpness", nn.initializers.constant(self.sharpness), ())
        return jax.nn.softmax(sharpness * (_normalize(x) @ _normalize(vectors).T))


def initialize_prototype_head(
    encoder: ImageEncoder, images: Images, copies_per_image: int
) -> dict[str, Any]:
    """Compute the initial parameters of a `PrototypeHead`, except for the sharpness.

    Args:
      encoder: The encoder. Its head has a `PrototypeHeadConfig`.
      images: The training images; the variants of each follow it.
      copies_per_image: One more than the number of variants.

    Returns:
      Parameters by their names in the head.

    Raises:
      UserError: The features are not cached, there are no variants, or too few images.
    """
    if not isinstance(images, CachedFeatures) or copies_per_image == 1:
        raise UserError(
            "encoder.class",
            f"{type(encoder).__name__} needs encoder.params.trainable=none,"
            " images.cache_features=true and images.variants above 0",
        )
    head, layers = encoder.head, dict[str, Any]()
    assert isinstance(head, PrototypeHeadConfig)

    def final_states(config: FeatureHeadConfig, number: int) -> np.ndarray:
        """Return [P, copies_per_image, D], the final states of P evenly spread images."""
        apply = jax.jit(FeatureHead(config, parent=None).apply)
        firsts = [image * copies_per_image for image in _spread(images, copies_per_image, number)]
        groups = (
            images.features[first : first + copies_per_image].astype(np.float32) for first in firsts
        )
        return np.stack([apply({"params": layers}, group).final_state for group in groups])

    if head.num_units:
        layers["project"] = _dense(images, copies_per_image, head.num_units)
    if head.final_units:
        states = final_states(dataclasses.replace(head, final_units=0), MAX_IMAGES)
        features = CachedFeatures(states.reshape(-1, 1, states.shape[-1]), set(), images.digest)
        layers["project_final"] = _dense(features, copies_per_image, head.final_units)
    vectors = final_states(head, head.num_prototypes).mean(axis=1)
    if len(vectors) < head.num_prototypes:
        raise UserError(
            "encoder.params.head.num_prototypes",
            f"is {head.num_prototypes:,}, but there are {len(vectors):,} training images",
        )
    return {"features": layers, "prototypes": {"vectors": vectors}}


def _dense(features: CachedFeatures, copies_per_image: int, units: int) -> dict[str, np.ndarray]:
    if units > features.shape[-1]:
        what = f"a layer of {units} units cannot be initialized from {features.shape[-1]} features"
        raise UserError("encoder.params.head", what)
    kernel, bias = discriminants(features, copies_per_image - 1, units)
    return {"kernel": kernel, "bias": bias}


def _spread(features: CachedFeatures, copies_per_image: int, number: int) -> list[int]:
    """Return at most `number` evenly spread indices of images that are not broken."""
    indices = range(len(features) // copies_per_image)
    usable = [i for i in indices if i * copies_per_image not in features.broken]
    chosen = np.linspace(0, len(usable) - 1, min(number, len(usable))).astype(np.int64)
    return [usable[i] for i in chosen]


def _normalize(x: Array) -> Array:
    return x * lax.rsqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True) + 1e-12)
