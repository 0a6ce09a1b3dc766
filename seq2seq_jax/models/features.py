"""Features of the target, such as `V;PST`, as a second input of a model.

They have a separate vocabulary and embedding table, and enter the model in one of three ways
(`features.combine`):

  source     as tokens after those of the source, read by the encoder of the source
  attention  through a separate encoder; the decoder attends to its outputs too
  decoder    through a separate encoder; the mean of its outputs is an input of every step

Positions of features always follow those of the source: attention weights on a source of length n
with m features are [.., S + F], n on its tokens, then m on the features, then padding.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float, Int, Shaped

from seq2seq_jax.models.attention import Memory
from seq2seq_jax.models.encoders import EncoderOutput, mean_over_time
from seq2seq_jax.models.functions import symmetric_uniform, xavier_uniform
from seq2seq_jax.models.model_config import EmbeddingConfig
from seq2seq_jax.ops.layers import Dense

NUM_SPECIAL = 3
"""The last ids of a vocabulary are special; the first of them is UNK."""


class SourceWithFeatures(struct.PyTreeNode):
    """The source of a batch, for a model that reads features.

    Attributes:
      ids: [B, S], the tokens of the source.
      features_ids: [B, F], the features.
      features_len: [B], the number of features of each row.
    """

    ids: Array
    features_ids: Array
    features_len: Array


Source: TypeAlias = Shaped[Array, "B ..."] | SourceWithFeatures
"""What `encoder_inputs` of a model returns for the source: an array, or one with features."""


class StepMemory(struct.PyTreeNode):
    """What stays the same in all decoder steps, for a model whose decoder reads features.

    Attributes:
      attended: What the decoder attends to; None without attention.
      features: [B, D], an input of every step.
    """

    attended: Memory | None
    features: Array


def batch_source(batch: Mapping[str, Any]) -> Source:
    """Return the source of a batch, with its features if it has any.

    Args:
      batch: See `batch_inputs.Batch`.
    """
    if "features_ids" not in batch:
        ids: Array = batch["source_ids"]
        return ids
    return SourceWithFeatures(batch["source_ids"], batch["features_ids"], batch["features_len"])


def source_ids(source: Source) -> Int[Array, "B S"]:
    """Return the tokens of a source, without its features.

    Args:
      source: A source.
    """
    return source.ids if isinstance(source, SourceWithFeatures) else source


class FeatureReader(nn.Module):
    """The part of a model that reads features.

    Attributes:
      vocab_size: Number of features, special tokens included.
      combine: `source`, `attention` or `decoder`, see above.
      embedding: The parameters of the embedding table.
      unk_probability: Probability with which each feature is replaced by UNK in training.
      encoder: Maps embedded features to an `EncoderOutput`; None for `source`.
    """

    vocab_size: int
    combine: str
    embedding: EmbeddingConfig = EmbeddingConfig()
    unk_probability: float = 0.0
    encoder: nn.Module | None = None

    @property
    def attended(self) -> bool:
        """Whether a decoder with attention attends to the features."""
        return self.combine != "decoder"

    @nn.compact
    def __call__(self, source: SourceWithFeatures, *, train: bool = False) -> EncoderOutput:
        """Embed the features and, unless they are joined to the source, encode them.

        Args:
          source: The source with its features.
          train: Whether to apply dropout and to replace features by UNK.

        Returns:
          The output of the encoder, or the embeddings instead of its outputs.
        """
        init = symmetric_uniform(self.embedding.init_scale)
        table = nn.Embed(self.vocab_size, self.embedding.dim, embedding_init=init, name="embedding")
        ids = source.features_ids
        if train and self.unk_probability and self.has_rng("dropout"):
            key = self.make_rng("dropout")
            replaced = jax.random.bernoulli(key, self.unk_probability, ids.shape)
            ids = jnp.where(replaced, self.vocab_size - NUM_SPECIAL, ids)
        embedded, lengths = table(ids), source.features_len
        if self.encoder is None:
            return EncoderOutput(embedded, (), embedded, lengths)
        encoded: EncoderOutput = self.encoder(embedded, lengths, train=train)
        return encoded


class FeatureMemory(nn.Module):
    """Joins encoded features to what the decoder attends to, in the width of the source."""

    @nn.compact
    def __call__(self, source: EncoderOutput, features: EncoderOutput) -> EncoderOutput:
        """Return the encoded source with the positions of the features after its own.

        Values whose width differs from that of the source are projected to it.

        Args:
          source: The encoded source.
          features: The encoded features.
        """
        values, lengths = features.attention_values, source.attention_values_length

        def join(name: str, x: Array) -> Array:
            own = values
            if own.shape[-1] != x.shape[-1]:
                own = Dense(x.shape[-1], kernel_init=xavier_uniform, name=name)(own)
            return join_rows(x, lengths, own, features.attention_values_length)

        same = source.attention_values is source.outputs
        keys = join("project_keys", source.outputs)
        return source.replace(
            outputs=keys,
            attention_values=keys if same else join("project_values", source.attention_values),
            attention_values_length=lengths + features.attention_values_length,
        )


def mean_features(features: EncoderOutput) -> Float[Array, "B D"]:
    """Return the mean of encoded features; zeros for a row without any.

    Args:
      features: The encoded features.
    """
    return mean_over_time(features.attention_values, features.attention_values_length)


def join_rows(
    first: Float[Array, "B S D"],
    first_len: Int[Array, " B"],
    second: Float[Array, "B F D"],
    second_len: Int[Array, " B"],
) -> Float[Array, "B R D"]:
    """Concatenate rows of different lengths, so that all padding is at the end.

    Args:
      first: [B, S, D].
      first_len: [B].
      second: [B, F, D].
      second_len: [B].

    Returns:
      [B, S + F, D], zero in the padding.

    Example:
      >>> import jax.numpy as jnp
      >>> from seq2seq_jax.models.features import join_rows
      >>> first, second = jnp.array([[[1.0], [0]]]), jnp.array([[[2.0], [3]]])
      >>> join_rows(first, jnp.array([1]), second, jnp.array([2]))[..., 0].tolist()
      [[1.0, 2.0, 3.0, 0.0]]
    """
    width = first.shape[1] + second.shape[1]
    positions = jnp.arange(width)
    in_first = positions < first_len[:, None]
    index = jnp.where(in_first, positions, positions - first_len[:, None] + first.shape[1])
    joined = jnp.concatenate([first, second], axis=1)
    rows = jnp.take_along_axis(joined, jnp.minimum(index, width - 1)[..., None], axis=1)
    return jnp.where((positions < (first_len + second_len)[:, None])[..., None], rows, 0)
