"""The captioning model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import PyTree

from seq2seq_jax.models.batch_inputs import Batch, NonTrainable
from seq2seq_jax.models.encoders import EncoderOutput
from seq2seq_jax.models.features import Source, SourceWithFeatures
from seq2seq_jax.models.functions import symmetric_uniform
from seq2seq_jax.models.model_config import (
    AttentionChoice,
    AttentionDecoderChoice,
    BridgeChoice,
    EmbeddingConfig,
)
from seq2seq_jax.models.seq2seq import AttentionSeq2Seq
from seq2seq_jax.schema.parameters import Choice, ClassOf
from seq2seq_jax.schema.rules import between, one_of

Array = jax.Array


@dataclass(frozen=True)
class ImagesConfig:
    """The parameters `images.*`: how training uses images and their features.

    Attributes:
      variants: Number of augmented variants of each training image: moved, recoloured, blurred.
      cache_features: Compute the features of an encoder that is not trained once, and cache them.
      features_dtype: Type of the cached features; float16 takes half the space.
    """

    variants: Annotated[int, between(0, 1000)] = 0
    cache_features: bool = True
    features_dtype: Annotated[str, one_of("float32", "float16")] = "float32"


ImagePipelineChoice = Annotated[Choice, ClassOf("pipeline", modality="image")]


@dataclass(frozen=True)
class Image2SeqConfig:
    """The keys of an `Image2Seq`.

    Attributes:
      encoder: The encoder.
      input_pipeline_train: Reads the training examples.
      input_pipeline_dev: Reads the dev examples.
    """

    embedding: EmbeddingConfig = EmbeddingConfig()
    encoder: Annotated[Choice, ClassOf("encoder", modality="image")] = Choice("InceptionV3Encoder")
    bridge: BridgeChoice = Choice("ZeroBridge")
    attention: AttentionChoice = Choice("AttentionLayerBahdanau")
    decoder: AttentionDecoderChoice = Choice("AttentionDecoder")
    input_pipeline_train: ImagePipelineChoice = Choice("ImageCaptioningInputPipeline")
    input_pipeline_dev: ImagePipelineChoice = Choice("ImageCaptioningInputPipeline", shuffle=False)
    images: ImagesConfig = ImagesConfig()


class Image2Seq(AttentionSeq2Seq):
    """A decoder that attends to the spatial positions of an image.

    Xu et al. 2015, "Show, Attend and Tell", arXiv:1502.03044. The encoder is an `ImageEncoder`.
    If none of its network is trained, its grid features can be computed beforehand and replace the
    images. There are no source tokens: `source_vocab_size` is 0, and nothing is reversed or shared.
    """

    config_class: ClassVar[type] = Image2SeqConfig
    problem: ClassVar[str] = "seq2seq_jax.captioning.problem.ImageProblem"

    reverse_source: bool = False

    def setup(self) -> None:
        """Create the embedding of the target; there is none of the source."""
        init = symmetric_uniform(self.embedding.init_scale)
        self.target_embedding = nn.Embed(
            self.target_vocab_size, self.embedding.dim, embedding_init=init
        )

    @classmethod
    def source_options(cls, config: Any, source_vocab_size: int) -> Mapping[str, Any]:
        """Return no keywords: the encoder describes the source."""
        return {}

    @staticmethod
    def encoder_inputs(batch: Mapping[str, Any]) -> tuple[Array, Array]:
        """Return the images of a batch, or their features, and `source_len` [B].

        Args:
          batch: See `data.image_batches`.
        """
        name = "image_features" if "image_features" in batch else "image"
        return batch[name], batch["source_len"]

    def encode(self, source: Source, source_len: Array, *, train: bool = False) -> EncoderOutput:
        """Encode images, or features that were computed before.

        Args:
          source: [B, H, W, 3] uint8 images, or [B, S, C] grid features.
          source_len: [B]; not used.
          train: Whether to apply dropout, and to normalize by the statistics of the batch.

        Returns:
          The encoder's output.
        """
        assert not isinstance(source, SourceWithFeatures)
        features = source if source.ndim == 3 else self.grid_features(source, train=train)
        # Cached features may be of half precision.
        output: EncoderOutput = self.encoder.encode_features(
            features.astype(jnp.float32), train=train
        )
        return output

    def grid_features(self, images: Array, *, train: bool = False) -> Array:
        """Compute the grid features [B, S, C] of images [B, H, W, 3] uint8.

        Args:
          images: The images.
          train: Whether to normalize by the statistics of the batch.
        """
        features: Array = self.encoder.grid_features(images, train=train)
        return features

    def dummy_inputs(self) -> tuple[Array, Array]:
        """Return an image of the encoder's size and its length, to initialize the model with."""
        shape = (1, self.encoder.resize_height, self.encoder.resize_width, 3)
        return jnp.zeros(shape, jnp.uint8), jnp.ones(1, jnp.int32)


def make_precompute(model: nn.Module) -> Callable[[Any, NonTrainable, Batch], Batch]:
    """Return a function that replaces the images of a batch by their grid features.

    Args:
      model: An `Image2Seq`.

    Returns:
      A function of parameters, non-trainable variables and a batch. `source_len` of the batch
      that it returns is the number of spatial positions, or 0 for padding rows.
    """

    @jax.jit
    def grid_features(params: PyTree, non_trainable: NonTrainable, images: Array) -> PyTree:
        return model.apply({"params": params, **non_trainable}, images, method="grid_features")

    def precompute(params: PyTree, non_trainable: NonTrainable, batch: Batch) -> Batch:
        new = dict(batch)
        if "image" in new:
            new["image_features"] = grid_features(params, non_trainable, new.pop("image"))
        is_image = jnp.minimum(jnp.asarray(batch["source_len"]), 1)
        new["source_len"] = is_image * new["image_features"].shape[1]
        return new

    return precompute
