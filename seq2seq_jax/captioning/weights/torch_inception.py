"""InceptionV3 as a `state_dict` of torchvision or timm."""

from collections.abc import Mapping

import numpy as np

from seq2seq_jax.captioning.models.inception_blocks import BLOCKS, convolutions
from seq2seq_jax.captioning.weights.found_weights import FoundWeights, Key, Named
from seq2seq_jax.captioning.weights.torch_file import read_torch_file
from seq2seq_jax.utils.archives import one_line_errors
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.installation import install_command

_STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
_FIGURE_5 = (
    "branch1x1 branch5x5_1 branch5x5_2 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3 branch_pool"
)
_REDUCTION_TO_17 = "branch3x3 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"
_FIGURE_6 = (
    "branch1x1 branch7x7_1 branch7x7_2 branch7x7_3"
    " branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3 branch7x7dbl_4 branch7x7dbl_5 branch_pool"
)
_REDUCTION_TO_8 = "branch3x3_1 branch3x3_2 branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4"
_FIGURE_7 = (
    "branch1x1 branch3x3_1 branch3x3_2a branch3x3_2b"
    " branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a branch3x3dbl_3b branch_pool"
)
# The convolutions of each block in the order of `inception_blocks.BLOCKS`.
_MIXED = {
    "Mixed_5b": _FIGURE_5,
    "Mixed_5c": _FIGURE_5,
    "Mixed_5d": _FIGURE_5,
    "Mixed_6a": _REDUCTION_TO_17,
    "Mixed_6b": _FIGURE_6,
    "Mixed_6c": _FIGURE_6,
    "Mixed_6d": _FIGURE_6,
    "Mixed_6e": _FIGURE_6,
    "Mixed_7a": _REDUCTION_TO_8,
    "Mixed_7b": _FIGURE_7,
    "Mixed_7c": _FIGURE_7,
}
_LEAVES = {
    "kernel": "conv.weight",
    "bias": "bn.bias",
    "scale": "bn.weight",
    "mean": "bn.running_mean",
    "var": "bn.running_var",
}
_FIRST = f"{_STEM[0]}.conv.weight"


def read(path: str) -> FoundWeights:
    """Read a file. Its names can have a prefix, as in `module.Conv2d_1a_3x3.conv.weight`.

    Args:
      path: A `.safetensors`, `.pth` or `.pt` file.

    Raises:
      UserError: It cannot be read, or safetensors is not installed.
    """
    return from_state_dict(
        _read_safetensors(path) if path.endswith(".safetensors") else _read(path)
    )


def from_state_dict(state_dict: Mapping[str, np.ndarray]) -> FoundWeights:
    """Find the network's arrays in a state_dict.

    Args:
      state_dict: Arrays by the names of torch; kernels are [D, C, h, w].
    """
    prefix = next((n.removesuffix(_FIRST) for n in state_dict if n.endswith(_FIRST)), "")
    ours = {prefix + name: key for key, name in _names().items()}
    arrays: dict[Key, Named] = {}
    unexpected, ignored = [], []
    for name, value in state_dict.items():
        if name in ours:
            kernel = value.ndim == 4
            arrays[ours[name]] = Named(name, value.transpose(2, 3, 1, 0) if kernel else value)
        elif name.startswith((f"{prefix}Conv2d_", f"{prefix}Mixed_")) and not name.endswith(
            "num_batches_tracked"
        ):
            unexpected.append(name)
        elif not name.endswith("num_batches_tracked"):
            ignored.append(name)
    names = _names()
    return FoundWeights(arrays, lambda key: prefix + names[key], unexpected, ignored)


def _names() -> dict[Key, str]:
    """Return torch's name for each array of the network."""
    convs = [*_STEM, *(f"{block}.{conv}" for block in _MIXED for conv in _MIXED[block].split())]
    ours = convolutions(list(BLOCKS)[-1])
    return {
        (*key, leaf): f"{conv}.{name}"
        for key, conv in zip(ours, convs, strict=True)
        for leaf, name in _LEAVES.items()
    }


def _read(path: str) -> dict[str, np.ndarray]:
    content = read_torch_file(path)
    for key in ("state_dict", "model_state_dict", "model"):  # As training scripts store it.
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        raise UserError(
            path, f"must contain the state_dict of a model; got a {type(content).__name__}"
        )
    return {name: value for name, value in content.items() if isinstance(value, np.ndarray)}


def _read_safetensors(path: str) -> dict[str, np.ndarray]:
    try:
        from safetensors.numpy import load_file
    except ImportError as error:
        raise UserError(path, f"needs safetensors; use {install_command('images')}") from error
    with one_line_errors(path, "cannot be read as a safetensors file"):
        return load_file(path)
