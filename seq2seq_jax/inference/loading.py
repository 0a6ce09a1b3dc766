"""Loading trained models: one checkpoint, the average of several, or an ensemble."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree
from ml_collections import ConfigDict

from seq2seq_jax.config import resolve
from seq2seq_jax.data.readers.input_pipeline import split_file_names
from seq2seq_jax.data.tokenizers import Tokenizers
from seq2seq_jax.inference.quantization import round_params
from seq2seq_jax.models.batch_inputs import NonTrainable
from seq2seq_jax.models.build import build_model, variable_shapes
from seq2seq_jax.storage.arrays import into_template
from seq2seq_jax.storage.checkpoints import Checkpoints
from seq2seq_jax.storage.workdir import Vocabularies, Workdir
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import slow_work


class LoadedModel(NamedTuple):
    """A trained model with its parameters, tokenizers and vocabularies.

    Attributes:
      model: The model.
      params: Its parameters; their moving average if training kept one.
      tokenizers: How it splits texts.
      vocabularies: How it numbers tokens.
      steps: The step of the checkpoint; several if the parameters are the average of several.
      non_trainable: Its variables other than parameters, by collection; empty for most models.
    """

    model: Any
    params: PyTree
    tokenizers: Tokenizers
    vocabularies: Vocabularies
    steps: list[int]
    non_trainable: NonTrainable

    @property
    def has_attention(self) -> bool:
        """Whether the decoder attends to the source."""
        return bool(self.model.has_attention)

    @property
    def description(self) -> str:
        """The checkpoints in words: `step 800`."""
        if len(self.steps) == 1:
            return f"step {self.steps[0]}"
        return f"the average of steps {' '.join(map(str, sorted(self.steps)))}"


class ModelFiles(NamedTuple):
    """The content of the files of a trained model.

    Attributes:
      arrays: Step of a checkpoint -> its arrays by their dotted names, without the optimizer's.
      vocabularies: The vocabularies.
      tokenizers: The tokenizers.
    """

    arrays: dict[int, Mapping[str, np.ndarray]]
    vocabularies: Vocabularies
    tokenizers: Tokenizers


def load_ensemble(workdir: Workdir, config: ConfigDict) -> list[LoadedModel]:
    """Load the model of a working directory, and those of `inference.ensemble`.

    Args:
      workdir: The working directory.
      config: Its resolved configuration, which selects the checkpoints of all members.

    Returns:
      The models, the one of `workdir` first.

    Raises:
      UserError: As for `load_model`; also, two members have different vocabularies or tokenizers.
    """
    with slow_work(f"Loading the model of {workdir.path}"):
        first = load_model(workdir, config)
    loaded = [first]
    for path in split_file_names(config.inference.ensemble):
        other = Workdir(path, workdir.trust)
        with slow_work(f"Loading the model of {path}"):
            loaded.append(load_model(other, resolve(other.config()), config.inference))
        _check_same_text(workdir.path, first, other.path, loaded[-1])
    return loaded


def load_model(
    workdir: Workdir, config: ConfigDict, inference: Mapping[str, Any] | None = None
) -> LoadedModel:
    """Load the model of a working directory with the parameters that were evaluated.

    Args:
      workdir: The working directory.
      config: Its resolved configuration.
      inference: Keys whose `checkpoint` and `average_checkpoints` select the checkpoints, and whose
        `weights` is their precision; None: those of `config`.

    Returns:
      The model. If training kept a moving average of the parameters, it has that.

    Raises:
      UserError: A checkpoint is missing or damaged, or does not fit the configuration.
    """
    files = read_model_files(workdir, config, inference)
    vocabularies, steps = files.vocabularies, list(files.arrays)
    model = build_model(config, *vocabularies.sizes)
    shapes = variable_shapes(model)
    named = {step: f"{workdir.checkpoints_dir}/{step}" for step in steps}
    first = steps[0]
    non_trainable = _non_trainable(workdir, shapes, files.arrays[first], named[first])
    params = _evaluated_params(shapes["params"], files.arrays[first], named[first])
    if len(steps) > 1:
        total = jax.tree.map(lambda leaf: leaf.astype(np.float64), params)
        for step in steps[1:]:
            one = _evaluated_params(shapes["params"], files.arrays[step], named[step])
            total = jax.tree.map(np.add, total, one)
        params = jax.tree.map(
            lambda leaf, old: (leaf / len(steps)).astype(old.dtype), total, params
        )
    params = round_params(params, (config.inference if inference is None else inference)["weights"])
    return LoadedModel(model, params, files.tokenizers, vocabularies, steps, non_trainable)


def read_model_files(
    workdir: Workdir, config: ConfigDict, inference: Mapping[str, Any] | None = None
) -> ModelFiles:
    """Read and verify the files of a model, without building it.

    Args:
      workdir: The working directory.
      config: Its resolved configuration.
      inference: As for `load_model`.

    Returns:
      The content of the files.

    Raises:
      UserError: A file is missing, damaged, or belongs to another checkpoint.
    """
    checkpoints = workdir.checkpoints(config)
    arrays: dict[int, Mapping[str, np.ndarray]] = {}
    for chosen in _chosen_steps(checkpoints, config.inference if inference is None else inference):
        step, arrays_of_step, _ = checkpoints.read(chosen)
        workdir.verify(step)
        arrays[step] = {
            name: array
            for name, array in arrays_of_step.items()
            if not name.startswith("opt_state.")
        }
    vocabularies, tokenizers = workdir.vocabularies(), workdir.tokenizers(config)
    if vocabularies is None or tokenizers is None:
        missing = "vocabularies" if vocabularies is None else "subwords"
        raise UserError(str(workdir.path), f"its {missing} are missing; restore a copy of them")
    return ModelFiles(arrays, vocabularies, tokenizers)


def _non_trainable(
    workdir: Workdir,
    shapes: Mapping[str, PyTree],
    arrays: Mapping[str, np.ndarray],
    where: str,
) -> NonTrainable:
    """Return the variables that the run started with, and the batch statistics of a checkpoint."""
    template = {name: tree for name, tree in shapes.items() if name != "params"}
    variables: NonTrainable = workdir.non_trainable(template)
    if "batch_stats" in variables:
        batch_stats = into_template({"batch_stats": template["batch_stats"]}, arrays, where)
        variables = {**variables, **batch_stats}
    return variables


def _evaluated_params(shapes: PyTree, arrays: Mapping[str, np.ndarray], where: str) -> PyTree:
    kind = "params"
    if any(name.startswith("ema_params.") for name in arrays):
        kind = "ema_params"
    return into_template({kind: shapes}, arrays, where)[kind]


def _chosen_steps(checkpoints: Checkpoints, inference: Mapping[str, Any]) -> list[int | None]:
    """Return the steps that `inference` selects; [None] for the latest complete checkpoint."""
    average, choice = inference["average_checkpoints"], inference["checkpoint"]
    if average:
        kind, _, count = average.partition(":")
        steps = checkpoints.best_steps() if kind == "best" else checkpoints.all_steps()[::-1]
        if len(steps) < int(count):
            measured = f" with {checkpoints.best_metric}" if kind == "best" else ""
            raise UserError(
                "inference.average_checkpoints",
                f"is {average}, but {checkpoints.directory} has {len(steps)}"
                f" checkpoint{'s' * (len(steps) != 1)}{measured}"
                + (f"; use {kind}:{len(steps)}" if steps else ""),
            )
        return [*steps[: int(count)]]
    if choice == "best":
        return [checkpoints.best_step()]
    return [None] if choice == "latest" else [int(choice)]


def _check_same_text(path: Path, model: LoadedModel, other_path: Path, other: LoadedModel) -> None:
    """Raise UserError unless both have the same vocabularies and tokenizers."""
    for side in Vocabularies._fields:
        vocabularies = [getattr(one.vocabularies, side) for one in (model, other)]
        tokenizers = [getattr(one.tokenizers, side) for one in (model, other)]
        digests = [tokenizer and tokenizer.digest() for tokenizer in tokenizers]
        if vocabularies[0] != vocabularies[1]:
            differs = f"{side} vocabularies"
        elif digests[0] != digests[1]:
            differs = f"{side} tokenizers"
        else:
            continue
        raise UserError(
            "inference.ensemble",
            f"{path} and {other_path} have different {differs}; the members of an ensemble must"
            " have the same",
        )
