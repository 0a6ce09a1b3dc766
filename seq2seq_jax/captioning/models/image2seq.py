"""The captioning model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from seq2seq_jax.models.batch_inputs import Batch, Collections
from seq2seq_jax.models.encoders import EncoderOutput
from seq2seq_jax.models.functions import symmetric_uniform
from seq2seq_jax.models.seq2seq import (
    AttentionChoice,
    AttentionDecoderChoice,
    AttentionSeq2Seq,
    BridgeChoice,
    EmbeddingConfig,
)
from seq2seq_jax.schema.parameters import Choice, ClassOf
from seq2seq_jax.schema.rules import at_least, one_of

Array = jax.Array


@dataclass(frozen=True)
class ImagesConfig:
    """The keys `images.*`: how a training corpus of images is prepared."""

    variants: Annotated[
        int,
        at_least(0),
        "Number of additional variants of each training image: moved, recoloured, blurred.",
    ] = 0
    projection: Annotated[
        str,
        one_of("random", "discriminants"),
        "Initial weights of the layers of encoder.params.num_units and final_units; discriminants:"
        " directions in which images differ and the variants of one image do not.",
    ] = "random"
    cache_features: Annotated[
        bool, "Compute the features of an encoder that is not trained once, and keep them."
    ] = True
    features_dtype: Annotated[
        str,
        one_of("float32", "float16"),
        "Type of the features that are kept; float16 takes half the space.",
    ] = "float32"


ImagePipelineChoice = Annotated[Choice, ClassOf("pipeline", modality="image")]


@dataclass(frozen=True)
class Image2SeqConfig:
    """The keys of `Image2Seq`."""

    encoder: Annotated[Choice, ClassOf("encoder", modality="image"), "The encoder."] = Choice(
        "InceptionV3Encoder"
    )
    bridge: BridgeChoice = Choice("ZeroBridge")
    attention: AttentionChoice = Choice("AttentionLayerBahdanau")
    decoder: AttentionDecoderChoice = Choice("AttentionDecoder")
    embedding: EmbeddingConfig = EmbeddingConfig()
    images: ImagesConfig = ImagesConfig()
    input_pipeline_train: Annotated[ImagePipelineChoice, "Reads the training examples."] = Choice(
        "ImageCaptioningInputPipeline"
    )
    input_pipeline_dev: Annotated[ImagePipelineChoice, "Reads the dev examples."] = Choice(
        "ImageCaptioningInputPipeline", shuffle=False
    )


class Image2Seq(AttentionSeq2Seq):
    """The source is a picture, and the decoder looks at its places (Xu et al. 2015,
    arXiv:1502.03044).

    Its `encoder` makes a map of features, the cells, of pictures (`cells`), and of cells what a
    decoder needs (`read`). Where nothing of `cells` is trained, they can be computed beforehand and
    given in the pictures' place. There are no words in the source: `source_vocab_size` is 0, and
    nothing is reversed or shared.
    """

    config_class: ClassVar[type] = Image2SeqConfig

    problem: ClassVar[str] = "seq2seq_jax.captioning.problem.ImageProblem"

    reverse_source: bool = False

    def setup(self):
        init = symmetric_uniform(self.embedding_init_scale)
        self.target_embedding = nn.Embed(
            self.target_vocab_size, self.embedding_dim, embedding_init=init
        )

    @classmethod
    def source_options(cls, config: Any, source_vocab_size: int) -> Mapping[str, Any]:
        """Return no keywords: the encoder knows all about the images."""
        return {}

    @staticmethod
    def encoder_inputs(batch: Mapping[str, Any]) -> tuple[Array, Array]:
        """Return the images of a batch, or their features, and 1 for each row that has one [B]."""
        name = "image_features" if "image_features" in batch else "image"
        return batch[name], batch["source_len"]

    def encode(self, source: Array, source_len: Array, *, train: bool = False) -> EncoderOutput:
        """source [B, H, W, 3] uint8, or cells [B, S, C]; source_len [B], S, or 0 for a row that
        fills the batch"""
        cells = source if source.ndim == 3 else self.cells(source, train=train)
        return self.encoder.read(cells.astype(jnp.float32), train=train)  # kept as halves, perhaps

    def cells(self, images: Array, *, train: bool = False) -> Array:
        """[B, H, W, 3] uint8 -> [B, S, C]"""
        return self.encoder.cells(images, train=train)

    def dummy_inputs(self) -> tuple[Array, Array]:
        images = jnp.zeros((1, *image_size(self.encoder), 3), jnp.uint8)
        return images, jnp.ones(1, jnp.int32)


def image_size(encoder: nn.Module) -> tuple[int, int]:
    """The height and width that an encoder of pictures resizes to; one that has none is given
    pictures of 299 x 299."""
    return getattr(encoder, "resize_height", 299), getattr(encoder, "resize_width", 299)


def make_precompute(model: nn.Module) -> Callable[[Any, Collections, Batch], Batch]:
    """Return a function that replaces the images of a batch by their features.

    `source_len` of the new batch is the number of spatial positions, or 0 for padding rows.
    """

    @jax.jit
    def cells(params: Any, collections: Collections, images: Array) -> Any:
        return model.apply({"params": params, **collections}, images, method="cells")

    def precompute(params: Any, collections: Collections, batch: Batch) -> Batch:
        new = dict(batch)
        if "image" in new:
            new["image_features"] = cells(params, collections, new.pop("image"))
        there = jnp.minimum(jnp.asarray(batch["source_len"]), 1)
        new["source_len"] = there * new["image_features"].shape[1]
        return new

    return precompute
