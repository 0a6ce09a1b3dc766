"""An encoder of images."""

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from seq2seq_jax.captioning.models.inception_v3 import BLOCKS, InceptionV3
from seq2seq_jax.captioning.models.prototypes import Prototypes
from seq2seq_jax.models.encoders import EncoderOutput
from seq2seq_jax.models.functions import xavier_uniform
from seq2seq_jax.schema.rules import FRACTION, PROBABILITY, above, at_least, one_of
from seq2seq_jax.utils.errors import UserError

Array = jax.Array

SCALINGS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "inception": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""How weights expect red, green and blue: (x / 255 - mean) / deviation.

"inception", that is x / 127.5 - 1, is what the weights of Keras and of torchvision expect: the
latter's `transform_input` undoes its scaling by "imagenet"'s means and deviations.
"""


class CellReader(nn.Module):
    """What attention and the bridge are given of a map's cells. Its weights belong to the model and
    are in `params`, whatever of the network is trained.

    Attributes:
      num_units: width of a dense layer over the features of each cell; 0: there is none.
      normalize: divide a picture's features by the root of their mean square, so that faint ones
        and strong ones count alike.
      dropout_keep_prob: keep probability on each feature of each cell.
      attention_keep_prob: keep probability on all that attention is given of a picture, at once:
        below 1 the decoder learns to do without.
      final_state: what the bridge is given: the cells' "mean", [B, C], or all "cells" side by side,
        [B, S C].
      final_units: width of a dense layer over that; 0: there is none.
      num_prototypes: if there are some, the bridge is given instead how much that is like each of
        them, [B, num_prototypes].
      sharpness: as in `Prototypes`.
    """

    num_units: int = 0
    normalize: bool = False
    dropout_keep_prob: float = 1.0
    attention_keep_prob: float = 1.0
    final_state: str = "mean"
    final_units: int = 0
    num_prototypes: int = 0
    sharpness: float = 20.0

    @nn.compact
    def __call__(self, cells: Array, *, train: bool = False) -> EncoderOutput:
        """cells [B, S, C]"""
        if self.num_units:
            cells = nn.Dense(self.num_units, kernel_init=xavier_uniform, name="project")(cells)
        if self.normalize:
            mean_square = jnp.mean(jnp.square(cells), axis=(1, 2), keepdims=True)
            cells = cells * lax.rsqrt(mean_square + 1e-6)
        cells = nn.Dropout(1 - self.dropout_keep_prob)(cells, deterministic=not train)
        together = cells.reshape(len(cells), -1)
        final_state = jnp.mean(cells, axis=1) if self.final_state == "mean" else together
        if self.final_units:
            dense = nn.Dense(self.final_units, kernel_init=xavier_uniform, name="project_final")
            final_state = dense(final_state)
        if self.num_prototypes:
            prototypes = Prototypes(self.num_prototypes, self.sharpness, name="prototypes")
            final_state = prototypes(final_state)
        lengths = jnp.full(len(cells), cells.shape[1], jnp.int32)
        dropout = nn.Dropout(1 - self.attention_keep_prob, broadcast_dims=(1, 2))
        seen = dropout(cells, deterministic=not train)
        return EncoderOutput(seen, final_state, seen, lengths)


class InceptionV3Encoder(nn.Module):
    """The map of one of InceptionV3's blocks: attention looks at its cells, row by row from the top
    left, S = h w of them, and the final state is their mean, [B, C].

    Attributes:
      resize_height, resize_width: images of another size are resized to these, pixels.
      block: whose map it is, a name of `inception_v3.BLOCKS`. Of small pictures the last ones say
        little: mixed10 is one cell of an image of 75 x 75, mixed2 has 7 x 7, mixed4 3 x 3.
      trainable: the first block that is trained, "all" or "none". The weights before it are in the
        collection `frozen`, the others in `params`.
      weights: the file that the weights are loaded from; the network does not look at it.
      scaling: of uint8 images, a name of `SCALINGS`; empty: "inception".
      pools_count_padding, batch_norm_scale, batch_norm_momentum: as in `InceptionV3`.
      num_units and all that follow: as in `CellReader`.
    """

    modality: ClassVar[str] = "image"

    resize_height: Annotated[int, at_least(75), "Images are resized to this height, pixels."] = 299
    resize_width: Annotated[int, at_least(75), "Images are resized to this width, pixels."] = 299
    block: Annotated[
        str, one_of(*BLOCKS), "The block whose map is looked at; for small images an early one."
    ] = "mixed10"
    trainable: Annotated[
        str, one_of("none", "all", *BLOCKS), "The first block that is trained."
    ] = "none"
    weights: Annotated[
        str, "File of trained weights, of Keras, torchvision or timm; empty: drawn from the seed."
    ] = ""
    scaling: Annotated[
        str,
        one_of("", *SCALINGS),
        "Of red, green and blue: inception is x / 127.5 - 1, imagenet that by ImageNet's means"
        " and deviations, unit x / 255; empty: as the weights expect.",
    ] = ""
    pools_count_padding: Annotated[
        bool, "Average pools divide as torchvision's do; set by the weights."
    ] = False
    batch_norm_scale: Annotated[
        bool, "Batch norm has a factor, as torchvision's; set by the weights."
    ] = False
    batch_norm_momentum: Annotated[float, FRACTION, "Of the moving averages of batch norm."] = 0.99
    num_units: Annotated[
        int, at_least(0), "Width of a dense layer over the features of each place; 0: none."
    ] = 0
    normalize: Annotated[
        bool, "Divide a picture's features by the root of their mean square, after that layer."
    ] = False
    dropout_keep_prob: Annotated[float, PROBABILITY, "Keep probability on these features."] = 1.0
    attention_keep_prob: Annotated[
        float,
        PROBABILITY,
        "Keep probability on all that attention is given of a picture, at once: below 1 the"
        " decoder learns to do without.",
    ] = 1.0
    final_state: Annotated[
        str,
        one_of("mean", "cells"),
        "What the bridge is given: the mean of the places' features, or cells: all of them.",
    ] = "mean"
    final_units: Annotated[int, at_least(0), "Width of a dense layer over that; 0: none."] = 0
    num_prototypes: Annotated[
        int,
        at_least(0),
        "What the bridge is given instead: how much that is like each of so many prototypes,"
        " which begin as training pictures, evenly spread, and are trained; 0: none.",
    ] = 0
    sharpness: Annotated[
        float, above(0), "What the cosine with each is multiplied by before the softmax."
    ] = 20.0

    def setup(self):
        self.reader = CellReader(
            num_units=self.num_units,
            normalize=self.normalize,
            dropout_keep_prob=self.dropout_keep_prob,
            attention_keep_prob=self.attention_keep_prob,
            final_state=self.final_state,
            final_units=self.final_units,
            num_prototypes=self.num_prototypes,
            sharpness=self.sharpness,
        )
        self.network = InceptionV3(
            block=self.block,
            trainable=self.trainable,
            pools_count_padding=self.pools_count_padding,
            batch_norm_scale=self.batch_norm_scale,
            batch_norm_momentum=self.batch_norm_momentum,
        )

    def __call__(self, images: Array, *, train: bool = False) -> EncoderOutput:
        """images [B, H, W, 3], uint8, or floats that are scaled as the weights expect"""
        return self.read(self.cells(images, train=train), train=train)

    def read(self, cells: Array, *, train: bool = False) -> EncoderOutput:
        """cells [B, S, C], just computed or kept from before"""
        return self.reader(cells, train=train)

    def cells(self, images: Array, *, train: bool = False) -> Array:
        """images as in `__call__` -> [B, S, C]; of an image always the same if nothing is trained,
        so that they can be computed once and kept."""
        images = self._resized(scale_images(images, self.scaling or "inception"))
        feature_map = self.network(images, train=train)
        return feature_map.reshape(feature_map.shape[0], -1, feature_map.shape[-1])

    def _resized(self, images: Array) -> Array:
        """By bilinear interpolation; where it shrinks, each pixel is a mean of all that it
        covers."""
        size = (self.resize_height, self.resize_width)
        if images.shape[1:3] == size:
            return images
        shape = (images.shape[0], *size, images.shape[3])
        return jax.image.resize(images, shape, "bilinear", antialias=True)


def scale_images(images: Array, scaling: str) -> Array:
    """uint8 [..., 3] -> floats as the weights expect; floats stay what they are.

    Raises:
      UserError: images of another type.
    """
    if jnp.issubdtype(images.dtype, jnp.floating):
        return images
    if images.dtype != jnp.uint8:
        raise UserError(
            "images", f"must be uint8, or floats that are scaled already; got {images.dtype}"
        )
    mean, deviation = (jnp.asarray(numbers, jnp.float32) for numbers in SCALINGS[scaling])
    return images.astype(jnp.float32) / (255 * deviation) - mean / deviation
