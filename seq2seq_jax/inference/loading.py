"""Trained models from their workdirs: one checkpoint, the mean of several, or several models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from seq2seq_jax.config import resolve
from seq2seq_jax.data.tokenizers import Tokenizers
from seq2seq_jax.models.batch_inputs import Collections
from seq2seq_jax.models.build import build_model, variable_shapes
from seq2seq_jax.storage.arrays import into_template
from seq2seq_jax.storage.checkpoints import Checkpoints
from seq2seq_jax.storage.workdir import Vocabularies, Workdir, check_vocabularies_fit
from seq2seq_jax.utils.errors import UserError

__all__ = ["LoadedModel", "load_ensemble", "load_model"]


class LoadedModel(NamedTuple):
    """A trained model, with its parameters, and how it splits and numbers text.

    Attributes:
      steps: the checkpoint's; several if the parameters are the mean of several.
      collections: what it has besides parameters; empty for most.
    """

    model: nn.Module
    params: Any
    tokenizers: Tokenizers
    vocabularies: Vocabularies
    steps: list[int]
    collections: Collections

    @property
    def has_attention(self) -> bool:
        """Whether the decoder attends to the source."""
        return self.model.has_attention

    @property
    def which(self) -> str:
        """Which checkpoints, for people."""
        if len(self.steps) == 1:
            return f"step {self.steps[0]}"
        return f"the mean of steps {' '.join(map(str, sorted(self.steps)))}"


def load_ensemble(workdir: Workdir, config: ConfigDict) -> list[LoadedModel]:
    """The model of a workdir, and behind it those of the workdirs in `inference.ensemble`.

    Which checkpoints are loaded, `config` says for all of them.

    Raises:
      UserError: as `load_model`; or two of them do not have the same vocabularies and subwords.
    """
    first = load_model(workdir, config)
    loaded = [first]
    for path in filter(None, config.inference.ensemble.split(",")):
        other = Workdir(path)
        loaded.append(load_model(other, resolve(other.config()), config.inference))
        _check_same_text(workdir.path, first, other.path, loaded[-1])
    return loaded


def load_model(
    workdir: Workdir, config: ConfigDict, inference: Mapping[str, Any] | None = None
) -> LoadedModel:
    """The model of a workdir, with the parameters that were evaluated: their moving average, where
    training kept one.

    Args:
      config: resolved, of the model.
      inference: whose `checkpoint` and `average_checkpoints` count; None: those of `config`.

    Raises:
      UserError: a checkpoint is missing or damaged, or does not fit the configuration.
    """
    checkpoints = workdir.checkpoints(config)
    vocabularies = workdir.vocabularies()
    tokenizers = workdir.tokenizers(config)
    chosen = _chosen_steps(checkpoints, config.inference if inference is None else inference)
    first, arrays, data = checkpoints.read(chosen[0])
    if vocabularies is None or tokenizers is None:
        missing = "vocabularies" if vocabularies is None else "subwords"
        raise UserError(str(workdir.path), f"its {missing} are missing; restore a copy of them")
    where = f"{checkpoints.directory}/{first}"
    check_vocabularies_fit(data, vocabularies, where)
    model = build_model(config, vocabularies.source.size, vocabularies.target.size)
    shapes = variable_shapes(model)
    collections = _collections(workdir, shapes, arrays, data, where)

    params, steps = _evaluated_params(shapes["params"], arrays, where), [first]
    if len(chosen) > 1:
        total = jax.tree.map(lambda leaf: leaf.astype(np.float64), params)
        for step in chosen[1:]:
            step, arrays, _ = checkpoints.read(step)
            one = _evaluated_params(shapes["params"], arrays, f"{checkpoints.directory}/{step}")
            total = jax.tree.map(np.add, total, one)
            steps.append(step)
        params = jax.tree.map(
            lambda leaf, old: (leaf / len(steps)).astype(old.dtype), total, params
        )
    return LoadedModel(model, params, tokenizers, vocabularies, steps, collections)


def _collections(
    workdir: Workdir,
    shapes: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    data: Mapping[str, Any],
    where: str,
) -> Collections:
    """As the run began with, but for statistics of batches, which are in the checkpoint."""
    template = {name: tree for name, tree in shapes.items() if name != "params"}
    found = workdir.non_trainable(template, data.get("non_trainable", ""))
    if "batch_stats" in found:
        found |= into_template({"batch_stats": template["batch_stats"]}, arrays, where)
    return found


def _evaluated_params(shapes: Any, arrays: Mapping[str, np.ndarray], where: str) -> Any:
    kind = "params"
    if any(name.startswith("ema_params.") for name in arrays):
        kind = "ema_params"
    return into_template({kind: shapes}, arrays, where)[kind]


def _chosen_steps(checkpoints: Checkpoints, inference: Mapping[str, Any]) -> list[int | None]:
    """The steps that `inference` asks for; [None] for the latest that is whole."""
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
                + (f"; {kind}:{len(steps)} would do" if steps else ""),
            )
        return [*steps[: int(count)]]
    if choice == "best":
        return [checkpoints.best_step()]
    return [None] if choice == "latest" else [int(choice)]


def _check_same_text(path: Path, model: LoadedModel, other_path: Path, other: LoadedModel) -> None:
    """Raises UserError unless both number and split texts in the same way."""
    for side in ("source", "target"):
        vocabularies = [getattr(one.vocabularies, side) for one in (model, other)]
        digests = [getattr(one.tokenizers, side).digest() for one in (model, other)]
        if vocabularies[0] != vocabularies[1]:
            differs = f"{side} vocabularies"
        elif digests[0] != digests[1]:
            differs = f"ways to split a {side} into tokens"
        else:
            continue
        raise UserError(
            "inference.ensemble",
            f"{path} and {other_path} have different {differs}; models decide together only if"
            " theirs are the same",
        )
