"""The InceptionV3 of the npm package nsfwjs, converted to a file of Keras weights.

The package contains a layers model of TensorFlow.js as JavaScript: a manifest with the names and
shapes of the arrays, and their numbers in base64, quantized to 8 bits.
"""

import base64
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from experiments.emoji.npm_package import fetch_npm_package
from seq2seq_jax.utils.archives import one_line_errors
from seq2seq_jax.utils.atomic_io import atomic_replace

VERSION = "4.4.0"
SCALING = "unit"
"""The input scaling that the network expects: x / 255."""

_INTEGRITY = (
    "sha512-krC1fgeTLXtZwgdpKJ0jm7hqv0gTSRQQRL+FhOaxaJ9Wj92t42BO3csO2odwgTAgZgf2RvkwPtp0R8Aa7dc"
    "+MA=="
)


def weights_file(directory: Path) -> Path:
    """Return the file that `fetch_nsfwjs` writes into a directory."""
    return directory / f"nsfwjs-{VERSION}.weights.h5"


def fetch_nsfwjs(directory: Path) -> Path:
    """Fetch the package with npm and convert the network, unless the file exists.

    Args:
      directory: Where to write the file.

    Returns:
      The file of weights.

    Raises:
      UserError: npm cannot fetch the package.
    """
    path = weights_file(directory)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        convert(fetch_npm_package("nsfwjs", VERSION, _INTEGRITY), path)
    return path


def convert(package: Path, path: Path) -> None:
    """Write the arrays of the network as Keras does: `LAYER/VARIABLE:0`.

    Args:
      package: The packed npm package.
      path: The .h5 file to write.
    """
    import h5py

    with atomic_replace(path) as partial, h5py.File(partial, "w") as file:
        for name, array in read_arrays(package).items():
            file[f"{name}:0"] = array


def read_arrays(package: Path) -> dict[str, np.ndarray]:
    """Return the arrays of the network by their names, such as `conv2d_1/kernel`.

    Args:
      package: The packed npm package.

    Raises:
      UserError: The package is damaged, or is another one.
    """
    arrays = {}
    with (
        one_line_errors(str(package), "is not the package of the network"),
        tarfile.open(package) as archive,
    ):
        for group in _parse_literal(_read_script(archive, "model"), "weightsManifest:"):
            data = b"".join(_read_shard(archive, name) for name in group["paths"])
            position = 0
            for entry in group["weights"]:
                stored = np.dtype(entry.get("quantization", entry)["dtype"]).newbyteorder("<")
                numbers = np.frombuffer(data, stored, int(np.prod(entry["shape"])), position)
                position += numbers.nbytes
                arrays[entry["name"]] = _dequantize(numbers, entry).reshape(entry["shape"])
    return arrays


def _read_script(archive: tarfile.TarFile, name: str) -> str:
    file = archive.extractfile(f"package/dist/models/inception_v3/{name}.min.js")
    assert file is not None  # extractfile raises KeyError for a missing member.
    return file.read().decode()


def _read_shard(archive: tarfile.TarFile, name: str) -> bytes:
    (encoded,) = re.findall(r'exports="([A-Za-z0-9+/=]+)"', _read_script(archive, name))
    return base64.b64decode(encoded)


def _dequantize(numbers: np.ndarray, entry: dict[str, Any]) -> np.ndarray:
    quantization = entry.get("quantization", {})
    if "scale" not in quantization:
        return numbers.astype(np.float32)
    return (numbers * np.float64(quantization["scale"]) + quantization["min"]).astype(np.float32)


def _parse_literal(script: str, after: str) -> Any:
    """Parse the array or object literal after these characters of a minified script.

    In it, names have no quotes, numbers no leading zero, and `!0` is true.
    """
    start = script.index(after) + len(after)
    tokens = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_$][\w$]*(?=:)|![01]|(?<![\w.])\.\d|[\[\]{}]')
    parts, position, depth = [], start, 0
    for token in tokens.finditer(script, start):
        text = token[0]
        parts.append(script[position : token.start()])
        position = token.end()
        if text[0] in "[{":
            depth += 1
        elif text[0] in "]}":
            depth -= 1
        elif text[0] == "!":
            text = "true" if text == "!0" else "false"
        elif text[0] == ".":
            text = f"0{text}"
        elif text[0] != '"':
            text = f'"{text}"'
        parts.append(text)
        if depth == 0:
            break
    return json.loads("".join(parts))
