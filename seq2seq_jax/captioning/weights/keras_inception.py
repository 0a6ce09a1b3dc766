"""InceptionV3 as Keras saves it.

Keras names layers by their class and the number of layers of this class before them: `conv2d`,
`conv2d_1`, or, where another network was built before, `conv2d_94`, `conv2d_95`. The order of the
numbers is that in which the network is built, and it is built in the order of our table.
"""

import io
import os
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from seq2seq_jax.captioning.models.inception_v3 import BLOCKS, Branch, Conv, Fork, convolutions
from seq2seq_jax.captioning.weights.found_weights import FoundWeights, Key, Named
from seq2seq_jax.utils.errors import UserError

Variables = Mapping[str, np.ndarray]

_LEAVES = {
    ("conv2d", "kernel"): "kernel",
    ("batch_normalization", "beta"): "bias",
    ("batch_normalization", "gamma"): "scale",
    ("batch_normalization", "moving_mean"): "mean",
    ("batch_normalization", "moving_variance"): "var",
}
# What Keras 3 numbers and does not name, by the class of the layer and how many there are.
_NUMBERED = {
    ("conv2d", 1): ("kernel",),
    ("conv2d", 2): ("kernel", "bias"),
    ("batch_normalization", 3): ("beta", "moving_mean", "moving_variance"),
    ("batch_normalization", 4): ("gamma", "beta", "moving_mean", "moving_variance"),
}
_LAYER = re.compile(r"(conv2d|batch_normalization)(?:_(\d+))?$")


def read(path: str) -> FoundWeights:
    """The weights in a `.h5`, `.weights.h5` or `.keras` file, of the network by itself or as a part
    of another.

    Raises:
      UserError: it cannot be read, or h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise UserError(
            path, "files of Keras need h5py, which pip install 'seq2seq-jax[images]' installs"
        ) from error
    try:
        with h5py.File(_weights_file(path), "r") as file:
            return from_named_variables(_variables(file))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(path, f"is no readable file of Keras: {error}") from error


def from_named_variables(variables: Variables) -> FoundWeights:
    """From arrays named `LAYER/VARIABLE`: `conv2d_7/kernel`, `batch_normalization_7/beta`."""
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
    unexpected, passed_over = [], []
    for name, value in variables.items():
        layer = _layer(name)
        if layer is None or rank[layer[0]][layer[1]] >= len(keys):
            passed_over.append(name)
            continue
        leaf = _LEAVES.get((layer[0], name.rsplit("/", 1)[1]))
        if leaf is None:
            unexpected.append(name)
        else:
            arrays[(*keys[rank[layer[0]][layer[1]]], leaf)] = Named(name, value)
    return FoundWeights(arrays, _expected_name, unexpected, passed_over)


def _expected_name(key: Key) -> str:
    number = list(convolutions("mixed10")).index(key[:2])
    kind, variable = next(theirs for theirs, ours in _LEAVES.items() if ours == key[2])
    return f"{kind}_{number}/{variable}"


def _layer(name: str) -> tuple[str, int] | None:
    """The kind and the number of the layer that an array `LAYER/VARIABLE` is of."""
    match = _LAYER.match(name.rsplit("/", 1)[0])
    return (match[1], int(match[2] or 0)) if match else None


def _weights_file(path: str) -> str | os.PathLike | io.BytesIO:
    if not path.endswith(".keras"):
        return path
    with zipfile.ZipFile(path) as archive:
        return io.BytesIO(archive.read("model.weights.h5"))


def _variables(file: Any) -> dict[str, np.ndarray]:
    """All arrays as `LAYER/VARIABLE`; `file` is an h5py.File."""
    paths: list[str] = []
    file.visititems(lambda path, item: paths.append(path) if hasattr(item, "shape") else None)
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
        else:  # before: .../conv2d_7/kernel:0
            layer, variable = parts[-2:] if len(parts) > 1 else ("", parts[-1])
        variables[f"{layer}/{variable}"] = file[path][()]
    return variables if has_names else _in_order_of_building(variables)


def _in_order_of_building(variables: Variables) -> dict[str, np.ndarray]:
    """The first versions of Keras 3 did not store the names of layers: their numbers are places in
    the order of the model's layers, which is by their distance from its end."""
    by_place = _places()
    renamed = {}
    for name, value in variables.items():
        layer = _layer(name)
        if layer and layer[1] < len(by_place):
            name = f"{layer[0]}_{by_place[layer[1]]}/{name.rsplit('/', 1)[1]}"
        renamed[name] = value
    return renamed


def _places() -> list[int]:
    """For each place in the order of the model's layers which convolution stands there."""
    distances = [
        (-i, distance)
        for i, block in enumerate(BLOCKS.values())
        for branch in block
        for distance in _distances(branch)
    ]
    return sorted(range(len(distances)), key=lambda i: distances[i], reverse=True)


def _distances(branch: Branch) -> list[int]:
    """For each convolution of a branch how many layers there are from it to the block's end."""
    distances: list[int] = []
    distance = 0
    for step in reversed(branch):
        if isinstance(step, Fork):
            distance += 4  # the convolution, batch norm, ReLU, and what joins the results
            distances += [distance] * len(step.convs)
        elif isinstance(step, Conv):
            distance += 3
            distances.append(distance)
        else:
            distance += 1
    return distances[::-1]
