"""The interface between the toolkit and the kind of problem that a model solves.

A problem is chosen once, from `config.model`, by `problem_of`. Training, evaluation and the
commands then ask the problem and never look at the kind of the model themselves. A new kind is one
class that fulfils `Problem`, and a model whose attribute `problem` holds the dotted path of that
class.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from seq2seq_jax.config.classes import import_dotted, resolve_class

if TYPE_CHECKING:
    import numpy as np
    from flax import linen as nn
    from ml_collections import ConfigDict

    from seq2seq_jax.config.overrides import Overrides
    from seq2seq_jax.data.grouping import Grouping
    from seq2seq_jax.data.readers.input_pipeline import TextExample
    from seq2seq_jax.data.tokenizers import Tokenizers
    from seq2seq_jax.devices.parallel import Devices
    from seq2seq_jax.inference.loading import LoadedModel
    from seq2seq_jax.inference.served_model import ServedModel
    from seq2seq_jax.models.batch_inputs import Batch, NonTrainable
    from seq2seq_jax.models.build import Params
    from seq2seq_jax.problems.initial_run import InitialRun
    from seq2seq_jax.storage.workdir import Vocabularies, Workdir

PROBLEMS = (
    "seq2seq_jax.problems.text.TextProblem",
    "seq2seq_jax.captioning.problem.ImageProblem",
)
"""The problems whose arguments `infer` lists in its help."""

Precompute = Callable[[Any, "NonTrainable", "Batch"], "Batch"]
"""(params, non_trainable, batch) -> a batch; the rest of the model then needs only `params`."""


class TrainBatches(Protocol):
    """An iterator over training batches whose position can be saved and restored."""

    def __iter__(self) -> Iterator[Any]: ...

    def __next__(self) -> Any:
        """Return the next batch; raise StopIteration after the last epoch."""

    def state(self) -> dict[str, Any]:
        """Return the position as values that can be written as JSON."""

    def restore(self, state: dict[str, Any], *, allow_other_data: bool = False) -> None:
        """Continue with the batch after the saved position.

        If the state is that of other data and that is allowed, start with the next epoch.
        """


class DevData(NamedTuple):
    """A dev set in batches.

    Attributes:
      pairs: Returns an iterator over all examples, for teacher forcing: batches, each with [B]
        int32, the index of each row's source, or -1 for padding rows.
      sources: Returns an iterator over the distinct sources, for decoding: batches, each with [B]
        int32, the index of each row's source, or -1 for padding rows.
      names: A text for each source: the source itself, or the file of an image.
      references: The target texts of each source.
      description: The size of the set, for the log: "100 pairs of 90 sources".
      report: Lines for the log: the size, and what was dropped, truncated or out of vocabulary.
      groupings: Groupings of the sources; each group is also evaluated separately.
      make_grouping: Returns another grouping by its name, one of `BREAKDOWNS`; None: the problem
        has none.
      examples: Returns an iterator over all examples in the order of the data, each with the index
        of its source, or -1 if it was dropped; None: the examples are no texts.
      features: The features of each source, as text; empty: the dev set has none.
    """

    pairs: Callable[[], Iterator[tuple[Batch, np.ndarray]]]
    sources: Callable[[], Iterator[tuple[Batch, np.ndarray]]]
    names: list[str]
    references: list[list[str]]
    description: str
    report: str
    groupings: Sequence[Grouping] = ()
    make_grouping: Callable[[str], Grouping] | None = None
    examples: Callable[[], Iterator[tuple[TextExample, int]]] | None = None
    features: Sequence[str] = ()


class TrainingData(NamedTuple):
    """All that a training run needs to know about its data.

    Attributes:
      tokenizers: Split texts into tokens, and join them.
      vocabularies: Number the tokens.
      batches: Iterates over the training batches.
      num_shapes: The number of different shapes of batches; each is compiled once.
      dev: The dev set; None if the run evaluates nothing.
      report: Some lines for the log that describe the data.
      non_trainable: The model's non-trainable variables at the start of the run, by collection.
      initial_params: Returns the parameters that are made from the data; they replace those that
        are drawn from the seed. Only a new run calls it.
      initial_run: The checkpoint from which a new run starts (`initialize_from`), if any.
    """

    tokenizers: Tokenizers
    vocabularies: Vocabularies
    batches: TrainBatches
    num_shapes: int
    dev: DevData | None
    report: str
    non_trainable: Mapping[str, Any] = MappingProxyType({})
    initial_params: Callable[[], Params] = dict
    initial_run: InitialRun | None = None


class Problem(Protocol):
    """What the toolkit asks about the kind of problem that a model solves.

    An implementation has no state and takes no arguments. Its module must import quickly, without
    JAX, because `infer --help` imports it; the methods import what they need.

    Attributes:
      title: The heading of the problem's arguments in the help of `infer`: "text models".
    """

    title: str

    def complete_config(self, config: ConfigDict, workdir: Workdir) -> ConfigDict:
        """Fill in the values of a training configuration that depend on files.

        Args:
          config: A resolved configuration. It is not changed.
          workdir: The workdir of the run. If it holds a run already, values come from there.

        Returns:
          The configuration with which the run is trained.

        Raises:
          UserError: A file cannot be read.
        """

    def prepare_training(
        self, config: ConfigDict, workdir: Workdir, devices: Devices
    ) -> TrainingData:
        """Read the training and dev data, and build or load the vocabularies.

        Nothing is compiled for training, and nothing is written but caches. `prepare` prints the
        report of the result; `train` uses all of it.

        Args:
          config: The configuration from `complete_config`.
          workdir: The workdir of the run; what it holds already is used instead of built.
          devices: The devices by which every batch must be divisible.

        Raises:
          UserError: A file cannot be used, or the batch size is not divisible by the devices.
        """

    def prepare_dev(
        self, config: ConfigDict, models: Sequence[LoadedModel], devices: Devices
    ) -> DevData:
        """Read the dev set for trained models.

        Args:
          config: The resolved configuration of the first model; `input_pipeline_dev` may differ
            from the one that the model was trained with.
          models: One model, or the members of an ensemble.
          devices: The devices by which every batch must be divisible.

        Raises:
          UserError: A file cannot be used, or the problem does not support ensembles.
        """

    def make_precompute(self, model: nn.Module) -> Precompute:
        """Return a function that replaces inputs of a batch by what frozen weights make of them.

        Evaluation and inference call it first; from then on the model needs its parameters alone.
        For texts it returns the batch as it is.
        """

    def require_texts(self, config: ConfigDict, where: str) -> None:
        """Refuse models that do not read texts, for commands such as `score` or `stats`.

        Args:
          config: A resolved configuration.
          where: The place that the error names: the workdir, or a key.

        Raises:
          UserError: The sources are no texts; says which command to use instead.
        """

    def add_infer_arguments(self, parser: argparse._ActionsContainer) -> list[argparse.Action]:
        """Add the arguments of `infer` that only this problem has.

        Returns:
          The added arguments. `infer` refuses them for models of other problems.
        """

    def infer(self, arguments: argparse.Namespace, overrides: Overrides, workdir: Workdir) -> None:
        """Read inputs, decode them with a trained model, and write the results to stdout.

        Args:
          arguments: The command line of `infer`: sources, input, json, attention, and what
            `add_infer_arguments` added.
          overrides: Pairs of a dotted key and a text.
          workdir: The workdir of the model.

        Raises:
          UserError: An input cannot be used, or arguments contradict each other.
        """

    def served_model(self, overrides: Overrides, workdir: Workdir) -> ServedModel:
        """Load a trained model for a service.

        Args:
          overrides: Pairs of a dotted key and a text.
          workdir: The workdir of the model.

        Raises:
          UserError: There is no trained model, or an override is wrong.
        """


def problem_of(config: ConfigDict | Mapping[str, Any]) -> Problem:
    """Return the problem that the model of a configuration solves.

    Args:
      config: A configuration with the key `model`.

    Raises:
      UserError: The class of the model is unknown.

    Example:
      >>> problem_of({"model": "Image2Seq"}).title
      'image models'
    """
    model = resolve_class("model", config["model"], "model")
    problem: Problem = import_dotted(model.problem, "model")()
    return problem


def all_problems() -> list[Problem]:
    """Return one instance of each problem in `PROBLEMS`."""
    return [import_dotted(path, "model")() for path in PROBLEMS]
