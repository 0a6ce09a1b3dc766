"""InceptionV3 as Keras saves it.

Keras names layers by their class and the number of layers of this class before them: `conv2d`,
`conv2d_1`, or, if another network was built before, `conv2d_94`, `conv2d_95`. The numbers follow
the order in which the network is built, which is the order of `inception_blocks.BLOCKS`.
"""

import io
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq_jax.captioning.models.inception_blocks import BLOCKS, Branch, Conv, Fork, convolutions
from seq2seq_jax.captioning.weights.found_weights import FoundWeights, Key, Named
from seq2seq_jax.utils.archives import check_size, check_unpacked_size, one_line_errors
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.installation import install_command

Variables = Mapping[str, np.ndarray]

_LEAVES = {
    ("conv2d", "kernel"): "kernel",
    ("batch_normalization", "beta"): "bias",
    ("batch_normalization", "gamma"): "scale",
    ("batch_normalization", "moving_mean"): "mean",
    ("batch_normalization", "moving_variance"): "var",
}
# The variables of a layer, which Keras 3 numbers, by the class of the layer and their number.
_NUMBERED = {
    ("conv2d", 1): ("kernel",),
    ("conv2d", 2): ("kernel", "bias"),
    ("batch_normalization", 3): ("beta", "moving_mean", "moving_variance"),
    ("batch_normalization", 4): ("gamma", "beta", "moving_mean", "moving_variance"),
}
_LAYER = re.compile(r"(conv2d|batch_normalization)(?:_(\d+))?$")


def read(path: str) -> FoundWeights:
    """Read a file in which the network is alone or a part of another.

    Args:
      path: A `.h5`, `.weights.h5` or `.keras` file.

    Raises:
      UserError: It cannot be read, or h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise UserError(path, f"needs h5py; use {install_command('images')}") from error
    with (
        one_line_errors(path, "cannot be read as a file of Keras"),
        h5py.File(_weights_file(path), "r") as file,
    ):
        return _find_weights(_variables(file, path))


def _find_weights(variables: Variables) -> FoundWeights:
    """Find the network's among arrays named `LAYER/VARIABLE`, such as `conv2d_7/kernel`."""
    numbers: dict[str, set[int]] = {"conv2d": set(), "batch_normalization": set()}
    for name in variables:
        if layer := _layer(name):
            numbers[layer[0]].add(layer[1])
    rank = {
        kind: {number: i for i, number in enumerate(sorted(found))}
        for kind, found in numbers.items()
    }
    keys = list(convolutions("mixed10"))
    arrays: dict[Key, Named] = {}
    unexpected, ignored = [], []
    for name, value in variables.items():
        layer = _layer(name)
        if layer is None or rank[layer[0]][layer[1]] >= len(keys):
            ignored.append(name)
            continue
        leaf = _LEAVES.get((layer[0], name.rsplit("/", 1)[1]))
        if leaf is None:
            unexpected.append(name)
        else:
            arrays[(*keys[rank[layer[0]][layer[1]]], leaf)] = Named(name, value)
    return FoundWeights(arrays, _expected_name, unexpected, ignored)


def _expected_name(key: Key) -> str:
    number = list(convolutions("mixed10")).index(key[:2])
    kind, variable = next(theirs for theirs, ours in _LEAVES.items() if ours == key[2])
    return f"{kind}_{number}/{variable}"


def _layer(name: str) -> tuple[str, int] | None:
    """Return the kind and the number of the layer of an array `LAYER/VARIABLE`."""
    match = _LAYER.match(name.rsplit("/", 1)[0])
    return (match[1], int(match[2] or 0)) if match else None


def _weights_file(path: str) -> str | os.PathLike[str] | io.BytesIO:
    if not path.endswith(".keras"):
        return path
    with zipfile.ZipFile(path) as archive:
        check_unpacked_size(archive, Path(path))
        return io.BytesIO(archive.read("model.weights.h5"))


def _variables(file: Any, name: str) -> dict[str, np.ndarray]:
    """Return all arrays of an h5py.File as `LAYER/VARIABLE`."""
    paths: list[str] = []
    file.visititems(lambda path, item: paths.append(path) if hasattr(item, "shape") else None)
    check_size(sum(file[path].nbytes for path in paths), Path(name))
    variables = {}
    has_names = True
    for path in paths:
        parts = path.removesuffix(":0").split("/")
        if len(parts) > 2 and parts[-2] == "vars":  # Keras 3: .../conv2d_7/vars/0
            group = file[path].parent
            kind = re.sub(r"_\d+$", "", parts[-3])
            names = _NUMBERED.get((kind, len(group)))
            variable = names[int(parts[-1])] if names else parts[-1]
            layer = group.attrs.get("name")
            if layer is None:
                layer, has_names = parts[-3], False
        else:  # Keras 2: .../conv2d_7/kernel:0
            layer, variable = parts[-2:] if len(parts) > 1 else ("", parts[-1])
        variables[f"{layer}/{variable}"] = file[path][()]
    return variables if has_names else _in_build_order(variables)


def _in_build_order(variables: Variables) -> dict[str, np.ndarray]:
    """Rename arrays of the first versions of Keras 3, which do not store the names of layers.

    They number layers in the order of the model's layers, by their distance from its end.
    """
    order = _layer_order()
    renamed = {}
    for name, value in variables.items():
        layer = _layer(name)
        if layer and layer[1] < len(order):
            name = f"{layer[0]}_{order[layer[1]]}/{name.rsplit('/', 1)[1]}"
        renamed[name] = value
    return renamed


def _layer_order() -> list[int]:
    """Return the numbers of the convolutions in the order of the model's layers."""
    distances = [
        (-i, distance)
        for i, block in enumerate(BLOCKS.values())
        for branch in block
        for distance in _distances(branch)
    ]
    return sorted(range(len(distances)), key=lambda i: distances[i], reverse=True)


def _distances(branch: Branch) -> list[int]:
    """Return the number of layers from each convolution of a branch to the end of the block."""
    distances: list[int] = []
    distance = 0
    for step in reversed(branch):
        if isinstance(step, Fork):
            distance += 4  # The convolution, batch normalization, ReLU, and the concatenation.
            distances += [distance] * len(step.convs)
        elif isinstance(step, Conv):
            distance += 3
            distances.append(distance)
        else:
            distance += 1
    return distances[::-1]
