"""The captioning model."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from seq2seq_jax.models.batch_inputs import Batch, Collections
from seq2seq_jax.models.encoders import EncoderOutput
from seq2seq_jax.models.functions import symmetric_uniform
from seq2seq_jax.models.seq2seq import AttentionSeq2Seq

Array = jax.Array


class Image2Seq(AttentionSeq2Seq):
    """The source is a picture, and the decoder looks at its places (Xu et al. 2015,
    arXiv:1502.03044).

    Its `encoder` makes a map of features, the cells, of pictures (`cells`), and of cells what a
    decoder needs (`read`). Where nothing of `cells` is trained, they can be computed beforehand and
    given in the pictures' place. There are no words in the source: `source_vocab_size` is 0, and
    nothing is reversed or shared.
    """

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
