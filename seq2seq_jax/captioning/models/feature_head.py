"""The head of an image encoder: what attention and the bridge receive of the grid features."""

from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from seq2seq_jax.models.encoders import EncoderOutput
from seq2seq_jax.models.functions import xavier_uniform
from seq2seq_jax.schema.rules import KEEP_PROBABILITY, between, one_of

Array = jax.Array


@dataclass(frozen=True)
class FeatureHeadConfig:
    """The parameters `encoder.params.head.*` of an image encoder.

    Attributes:
      num_units: Width of a dense layer over the features of each spatial position; 0: no layer.
      normalize: Divide the features of an image by their root mean square, after that layer.
      dropout_keep_prob: Keep probability of dropout on these features.
      attention_keep_prob: Probability with which attention receives the features of an image at all
        during training; below 1 the decoder learns to do without them.
      final_state: Input of the bridge: the mean of the features over the spatial positions, or
        grid: the features of all positions side by side.
      final_units: Width of a dense layer over the final state; 0: no layer.
    """

    num_units: Annotated[int, between(0, 16_384)] = 0
    normalize: bool = False
    dropout_keep_prob: Annotated[float, KEEP_PROBABILITY] = 1.0
    attention_keep_prob: Annotated[float, KEEP_PROBABILITY] = 1.0
    final_state: Annotated[str, one_of("mean", "grid")] = "mean"
    final_units: Annotated[int, between(0, 16_384)] = 0


class FeatureHead(nn.Module):
    """Computes the output of an encoder from grid features.

    Its weights are always in `params`, even if those of the network below are not trained.
    """

    config: FeatureHeadConfig = FeatureHeadConfig()

    @nn.compact
    def __call__(self, features: Array, *, train: bool = False) -> EncoderOutput:
        """Compute the inputs of attention and of the bridge.

        Args:
          features: [B, S, C], the features of S spatial positions.
          train: Whether to apply dropout.

        Returns:
          The outputs, [B, S, D], which are also the attention values; and the final state: [B, D]
          for the mean, [B, S D] for the grid, or the width of the layer over it.
        """
        config = self.config
        if config.num_units:
            dense = nn.Dense(config.num_units, kernel_init=xavier_uniform, name="project")
            features = dense(features)
        if config.normalize:
            mean_square = jnp.mean(jnp.square(features), axis=(1, 2), keepdims=True)
            features = features * lax.rsqrt(mean_square + 1e-6)
        features = nn.Dropout(1 - config.dropout_keep_prob)(features, deterministic=not train)
        if config.final_state == "mean":
            final_state = jnp.mean(features, axis=1)
        else:
            final_state = features.reshape(len(features), -1)
        if config.final_units:
            dense = nn.Dense(config.final_units, kernel_init=xavier_uniform, name="project_final")
            final_state = dense(final_state)
        lengths = jnp.full(len(features), features.shape[1], jnp.int32)
        whole_image_dropout = nn.Dropout(1 - config.attention_keep_prob, broadcast_dims=(1, 2))
        attended = whole_image_dropout(features, deterministic=not train)
        return EncoderOutput(attended, final_state, attended, lengths)
