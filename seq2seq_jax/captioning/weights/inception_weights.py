"""Trained weights for InceptionV3, from files of Keras, torchvision, timm and TensorFlow.js."""

import logging
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
from seq2seq_jax.captioning.weights import keras_inception, tfjs_inception, torch_inception
from seq2seq_jax.captioning.weights.found_weights import FoundWeights
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)


class InceptionWeights(NamedTuple):
    """What a file of weights holds, and how the network has to be built for it.

    Attributes:
      path: of the file.
      found: its arrays.
      settings: arguments of InceptionV3Encoder with which it computes what the network of that file
        computed: `scaling`, `pools_count_padding`, `batch_norm_scale`.
    """

    path: str
    found: FoundWeights
    settings: dict[str, Any]


def read_inception_weights(path: str | os.PathLike, scaling: str = "") -> InceptionWeights:
    """The weights in a file: `.h5`, `.weights.h5` or `.keras` of Keras, `.safetensors`, `.pth` or
    `.pt` of torchvision or timm, or the `model.json` of a layers model of TensorFlow.js.

    The average pools of torchvision and timm count the padding, and their batch norm has a scale.
    All are taken to expect images as "inception" scales them; those of timm's `gluon_in1k` and of
    networks that were trained by torchvision's scripts expect "imagenet".

    Args:
      scaling: takes the place of what the file is taken to expect, if it is not empty.

    Raises:
      UserError: there is no such file, it cannot be read, or it is of another kind.
    """
    path = os.fspath(path)
    if not os.path.exists(path):
        raise UserError(path, "there is no such file of weights")
    expected = "inception"
    if path.endswith((".h5", ".hdf5", ".keras")):
        found, counts_padding = keras_inception.read(path), False
    elif path.endswith((".safetensors", ".pth", ".pt")):
        found, counts_padding = torch_inception.read(path), True
    elif path.endswith(".json"):
        found, counts_padding = tfjs_inception.read(path), False
        expected = tfjs_inception.scaling(path) or expected
    else:
        raise UserError(
            path,
            "weights are .h5, .weights.h5 or .keras files of Keras, .safetensors, .pth or .pt files"
            " of torchvision or timm, or the model.json of a model of TensorFlow.js",
        )
    settings = {
        "scaling": scaling or expected,
        "pools_count_padding": counts_padding,
        "batch_norm_scale": any(leaf == "scale" for _, _, leaf in found.arrays),
    }
    return InceptionWeights(path, found, settings)


def inception_variables(
    encoder: InceptionV3Encoder, weights: InceptionWeights
) -> dict[str, Mapping[str, Any]]:
    """The encoder's variables (`params`, `frozen`, `batch_stats`; those that it has) with these
    weights. Weights of later blocks and of a classifier are passed over, with a line in the log.

    Raises:
      UserError: the encoder is not built as `weights.settings` say, or something is missing,
        unexpected or of another shape; the message lists all of it.
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
        f"{arrays[path[-3:]].name} {_by(arrays[path[-3:]].value.shape)}, not {_by(shape.shape)}"
        for path, shape in shapes.items()
        if path[-3:] in arrays and arrays[path[-3:]].value.shape != shape.shape
    ]
    problems = [
        *_listed("missing", [weights.found.expected_name(key) for key in missing]),
        *_listed("of another shape", wrong),
        *_listed("unexpected", weights.found.unexpected),
    ]
    if problems:
        raise UserError(weights.path, f"weights do not fit InceptionV3; {'; '.join(problems)}")
    if weights.found.passed_over:
        parts = {re.split("[./]", name)[0] for name in weights.found.passed_over}
        _log.info("%s: %s", weights.path, _listed("passed over", sorted(parts))[0])
    return unflatten_dict(
        {path: arrays[path[-3:]].value.astype(np.float32) for path in shapes}  # halves, say
    )


def _listed(what: str, names: list[str], most: int = 8) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return [f"{what}: {', '.join(names[:most])}{more}"]


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
