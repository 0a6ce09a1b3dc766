"""Pretrained weights for InceptionV3, from files of Keras, torchvision and timm."""

import logging
import os
import re
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import PyTree

from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
from seq2seq_jax.captioning.weights import keras_inception, torch_inception
from seq2seq_jax.captioning.weights.found_weights import FoundWeights
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)


class InceptionWeights(NamedTuple):
    """The content of a file of weights, and how the network has to be built for it.

    Attributes:
      path: The file.
      found: Its arrays.
      settings: The arguments of InceptionV3Encoder with which it computes the same as the network
        of the file: `scaling`, `pools_count_padding`, `batch_norm_scale`.
    """

    path: str
    found: FoundWeights
    settings: dict[str, object]


def read_inception_weights(path: str | os.PathLike[str], scaling: str = "") -> InceptionWeights:
    """Read a file of weights.

    The average pools of torchvision and timm count the padding, and their batch normalization has a
    scale. All weights are assumed to expect the scaling "inception"; those of timm's `gluon_in1k`,
    and of networks that were trained by torchvision's scripts, expect "imagenet".

    Args:
      path: `.h5`, `.weights.h5` or `.keras` of Keras, or `.safetensors`, `.pth` or `.pt` of
        torchvision or timm.
      scaling: If it is not empty, the scaling that the weights expect.

    Raises:
      UserError: There is no such file, it cannot be read, or it is of another kind.
    """
    path = os.fspath(path)
    if not os.path.exists(path):
        raise UserError(path, "there is no such file of weights")
    if path.endswith((".h5", ".hdf5", ".keras")):
        found, counts_padding = keras_inception.read(path), False
    elif path.endswith((".safetensors", ".pth", ".pt")):
        found, counts_padding = torch_inception.read(path), True
    else:
        raise UserError(
            path,
            "must be a .h5, .weights.h5 or .keras file of Keras, or a .safetensors, .pth or .pt"
            " file of torchvision or timm",
        )
    settings = {
        "scaling": scaling or "inception",
        "pools_count_padding": counts_padding,
        "batch_norm_scale": any(leaf == "scale" for _, _, leaf in found.arrays),
    }
    return InceptionWeights(path, found, settings)


def inception_variables(
    encoder: InceptionV3Encoder, weights: InceptionWeights
) -> dict[str, Mapping[str, PyTree]]:
    """Return the encoder's variables with these weights.

    Weights of later blocks and of a classifier are ignored, with a line in the log.

    Args:
      encoder: The encoder.
      weights: The weights.

    Returns:
      The variables of the network by collection: `params`, `frozen` and `batch_stats`, as far as
      the encoder has them.

    Raises:
      UserError: The encoder is not built as `weights.settings` say, or arrays are missing,
        unexpected or of another shape; the message lists them.
    """
    for name in ("pools_count_padding", "batch_norm_scale"):
        if getattr(encoder, name) != weights.settings[name]:
            raise UserError(
                f"encoder.params.{name}",
                f"must be {weights.settings[name]} for the weights of {weights.path}",
            )
    image = jnp.zeros((1, encoder.resize_height, encoder.resize_width, 3))
    variables = flatten_dict(jax.eval_shape(encoder.init, jax.random.key(0), image))
    shapes = {path: shape for path, shape in variables.items() if path[1] == "network"}
    arrays = weights.found.arrays
    # A path is (collection, "network", block, convolution, leaf).
    missing = [path[-3:] for path in shapes if path[-3:] not in arrays]
    wrong = [
        f"{arrays[path[-3:]].name} {_format_shape(arrays[path[-3:]].value.shape)},"
        f" not {_format_shape(shape.shape)}"
        for path, shape in shapes.items()
        if path[-3:] in arrays and arrays[path[-3:]].value.shape != shape.shape
    ]
    problems = [
        *_list("missing", [weights.found.expected_name(key) for key in missing]),
        *_list("of another shape", wrong),
        *_list("unexpected", weights.found.unexpected),
    ]
    if problems:
        raise UserError(weights.path, f"weights do not fit InceptionV3; {'; '.join(problems)}")
    if weights.found.ignored:
        parts = {re.split("[./]", name)[0] for name in weights.found.ignored}
        _log.info("%s: %s", weights.path, _list("ignored", sorted(parts))[0])
    values = {path: arrays[path[-3:]].value.astype(np.float32) for path in shapes}
    found: dict[str, Mapping[str, PyTree]] = unflatten_dict(values)
    return found


def _list(what: str, names: list[str], most: int = 8) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return [f"{what}: {', '.join(names[:most])}{more}"]


def _format_shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
