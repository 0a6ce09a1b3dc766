"""InceptionV3 as a layers model of TensorFlow.js: a `model.json`, and files of numbers beside it.

The numbers may be quantised: 8 or 16 bits that stand for min + scale n.
"""

import json
import os
from typing import Any

import numpy as np

from seq2seq_jax.captioning.weights.found_weights import FoundWeights
from seq2seq_jax.captioning.weights.keras_inception import from_named_variables
from seq2seq_jax.utils.errors import UserError


def read(path: str) -> FoundWeights:
    """The weights of a `model.json`.

    Raises:
      UserError: it or a file that it names cannot be read, or does not hold what it says.
    """
    variables: dict[str, np.ndarray] = {}
    try:
        for group in _model(path)["weightsManifest"]:
            data = b"".join(_read_bytes(path, name) for name in group["paths"])
            position = 0
            for entry in group["weights"]:
                stored = np.dtype(entry.get("quantization", entry)["dtype"]).newbyteorder("<")
                count = int(np.prod(entry["shape"]))
                numbers = np.frombuffer(data, stored, count, position)
                position += numbers.nbytes
                variables[entry["name"]] = _dequantised(numbers, entry).reshape(entry["shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(path, f"is no layers model of TensorFlow.js: {error}") from error
    return from_named_variables(variables)


def scaling(path: str) -> str | None:
    """How the model expects its images, if its file says so under `userDefinedMetadata`."""
    return _model(path).get("userDefinedMetadata", {}).get("scaling")


def _model(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise UserError(path, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(path, f"is no JSON: {error}") from error


def _read_bytes(path: str, name: str) -> bytes:
    beside = os.path.join(os.path.dirname(path), os.path.basename(name))
    try:
        with open(beside, "rb") as file:
            return file.read()
    except OSError as error:
        raise UserError(beside, f"{path} names it, but: {error.strerror or error}") from error


def _dequantised(numbers: np.ndarray, entry: dict[str, Any]) -> np.ndarray:
    quantization = entry.get("quantization", {})
    if "scale" not in quantization:
        return numbers.astype(np.float32)
    return (numbers * np.float64(quantization["scale"]) + quantization["min"]).astype(np.float32)
