"""Writing safetensors files: a header in JSON, and the bytes of the arrays.

The format is that of https://github.com/huggingface/safetensors. Reading is as short, and stands in
`seq2seq_numpy.read_safetensors`, because an exported model cannot depend on a library for it.
"""

import json
from collections.abc import Mapping

import numpy as np

_DTYPES = {"float32": "F32", "float16": "F16", "int8": "I8"}
_ALIGNMENT = 8


def to_safetensors(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the content of a safetensors file.

    Args:
      arrays: Arrays of float32, float16 or int8 by name, in any memory layout.

    Returns:
      The content. The widest types come first and then names in alphabetical order, so that each
      array is aligned and equal arrays give equal bytes.
    """
    header, data, position = {}, [], 0
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):
        content = np.ascontiguousarray(arrays[name]).tobytes()
        header[name] = {
            "dtype": _DTYPES[arrays[name].dtype.name],
            "shape": list(arrays[name].shape),
            "data_offsets": [position, position + len(content)],
        }
        data.append(content)
        position += len(content)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text + b"".join(data)
