"""The variables of google/seq2seq as parameters of this package.

The names and the arrangement of the variables are described in `tf_layout`.
"""

import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict

from seq2seq_jax.importers.tf_layout import Block, Params, Path, variable_layout
from seq2seq_jax.models.build import init_params
from seq2seq_jax.utils.archives import read_npz
from seq2seq_jax.utils.errors import UserError

Variables = Mapping[str, np.ndarray]


def read_variables(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file.

    Args:
      path: The name of the file.

    Returns:
      The arrays by their names.

    Raises:
      UserError: The file cannot be read, or is not an .npz file.
    """
    return read_npz(pathlib.Path(path))


def import_model(model: nn.Module, variables: Variables, where: str = "variables") -> Params:
    """Convert the variables of a checkpoint of google/seq2seq to the parameters of a model.

    Variables that only training needs are ignored: the step, the state of the optimizer, and a
    counter of tokens.

    Args:
      model: The model.
      variables: The variables by their names in the checkpoint.
      where: The source of the variables for error messages, such as a file name.

    Returns:
      The parameters.

    Raises:
      UserError: Variables are missing, unexpected, or have another shape; the message lists them.
    """
    shapes = jax.eval_shape(lambda: init_params(model, seed=0))
    return import_part(model, shapes, select_weights(variables), where)


def select_weights(variables: Variables) -> dict[str, np.ndarray]:
    """Select the variables of the network and remove `var/` and `model/NAME/` from their names.

    Args:
      variables: The variables by their names. If any name begins with `var/`, the others are
        ignored.

    Returns:
      The variables of the network by their names in its scope.
    """
    marked = {name[4:]: array for name, array in variables.items() if name.startswith("var/")}
    weights = {}
    for name, array in (marked or variables).items():
        name = name.removesuffix(":0")
        if name.startswith("model/"):
            name = name.split("/", 2)[-1]
        if name == "decode/target_embedding/source_embedding/W":  # with `embedding.share`
            name = "decode/target_embedding/W"
        if not _is_training_state(name):
            weights[name] = array
    return weights


def import_part(
    module: nn.Module, shapes: Params, variables: Variables, where: str = "variables"
) -> Params:
    """Convert variables to the parameters of a module, which is a model or a part of one.

    Args:
      module: The module.
      shapes: Its parameters, or their shapes as `jax.eval_shape` returns them.
      variables: The variables, with names relative to the module.
      where: The source of the variables for error messages.

    Returns:
      The parameters.

    Raises:
      UserError: As `import_model`.
    """
    expected: dict[Path, Any] = flatten_dict(shapes)  # type: ignore[no-untyped-call, unused-ignore]
    blocks = variable_layout(module, shapes)
    needed = {block.variable for path in expected for block in blocks[path]}
    problems = [
        *_format_names("missing", needed - variables.keys()),
        *_format_names("unexpected", variables.keys() - needed),
    ]
    if problems:
        raise UserError(where, f"variables do not fit the model; {'; '.join(problems)}")
    params = {path: _assemble(path, blocks[path], expected, variables) for path in expected}
    wrong = {
        f"{block.variable} {_format_shape(variables[block.variable].shape)}"
        for path, array in params.items()
        if array is None or array.shape != expected[path].shape
        for block in blocks[path]
    }
    if wrong:
        problems = _format_names("with a shape that does not fit the configuration", wrong)
        raise UserError(where, f"variables do not fit the model; {'; '.join(problems)}")
    tree: Params = unflatten_dict(params)  # type: ignore[no-untyped-call, unused-ignore]
    return tree


def _assemble(
    path: Path, blocks: list[Block], shapes: Mapping[Path, Any], variables: Variables
) -> np.ndarray | None:
    """Return a parameter, or None if its blocks have different numbers of rows."""
    arrays = []
    for block in blocks:
        array = variables[block.variable]
        if block.rows != "all":
            inputs = shapes[(*path[:-2], "input", "kernel")].shape[0]
            array = array[:inputs] if block.rows == "input" else array[inputs:]
        arrays.append(array)
    if len({array.shape[:-1] for array in arrays}) > 1:
        return None
    return np.concatenate(arrays, axis=-1)


def _is_training_state(name: str) -> bool:
    return name in ("Variable", "global_step") or name.startswith("OptimizeLoss/")


def _format_names(what: str, names: Iterable[str]) -> list[str]:
    names = sorted(names)
    return [f"{what}: {', '.join(names)}"] if names else []


def _format_shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
