"""The evaluation of a trained model, from its workdir, on its dev set."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
from ml_collections import ConfigDict

from seq2seq_jax.config import Trust, resolve
from seq2seq_jax.data.grouping import Grouping
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.evaluation.dev_evaluation import DevEvaluator, Evaluation
from seq2seq_jax.inference.loading import load_ensemble
from seq2seq_jax.problems.protocol import DevData, problem_of
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import say, slow_work

NUM_SAMPLES = 5
"""The number of samples of the dev set that are shown."""


class RunEvaluation(NamedTuple):
    """The results of a trained model.

    Attributes:
      evaluation: The results and the samples.
      steps: The step of the checkpoint, or the steps whose parameters were averaged.
      num_parameters: The number of trained parameters of one model.
      dev: The dev set.
    """

    evaluation: Evaluation
    steps: list[int]
    num_parameters: int
    dev: DevData

    @property
    def results(self) -> dict[str, float]:
        """The numeric results by name."""
        return self.evaluation.numbers


def evaluate(
    workdir: str | Path,
    config: ConfigDict | None = None,
    num_samples: int | None = NUM_SAMPLES,
    trust_custom_code: Trust = False,
    by: Sequence[str] = (),
) -> RunEvaluation:
    """Evaluate a trained model, or an ensemble, on its dev set.

    Args:
      workdir: The run's directory.
      config: A resolved configuration, which may differ from the run's in `inference`, `metrics`
        and `input_pipeline_dev`; None: the run's own. `inference.checkpoint` chooses the
        checkpoint.
      num_samples: Number of samples to return; None: all sources of the dev set.
      trust_custom_code: Whether the workdirs may name classes from outside of this package, whose
        code then runs; or the names of those that they may name.
      by: Names of groupings, "length", "overlap" or "feature"; each group is also evaluated
        separately.

    Returns:
      The results.

    Raises:
      UserError: Nothing was trained in this directory, the dev data cannot be used, or they have
        no such grouping.
    """
    run = Workdir(workdir, trust_custom_code)
    config = resolve(run.config()) if config is None else config
    members = load_ensemble(run, config)
    first, alone = members[0], len(members) == 1
    devices = Devices(config.parallel)
    with slow_work("Reading the dev set"):
        dev = problem_of(config).prepare_dev(config, members, devices)
        dev = dev._replace(groupings=[*dev.groupings, *make_groupings(dev, by)])
    say(f"Evaluating {', '.join(member.description for member in members)} on {dev.description}")
    say(dev.report)
    evaluator = DevEvaluator(
        first.model if alone else [member.model for member in members],
        config,
        first.tokenizers,
        first.vocabularies.target,
        dev,
        devices,
        num_samples,
    )
    params = first.params if alone else [member.params for member in members]
    evaluation = evaluator(devices.replicate(params), devices.replicate(dict(first.non_trainable)))
    num_parameters = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(first.params))
    return RunEvaluation(evaluation, first.steps, num_parameters, dev)


def make_groupings(dev: DevData, by: Sequence[str]) -> list[Grouping]:
    """Group the sources of a dev set.

    Args:
      dev: The dev set.
      by: The names of the groupings.

    Raises:
      UserError: The dev set has no such grouping.
    """
    if by and dev.make_grouping is None:
        raise UserError("--by", "is for text models; leave it out")
    existing = {grouping.name for grouping in dev.groupings}
    names = [name for name in dict.fromkeys(by) if name not in existing]
    return [dev.make_grouping(name) for name in names if dev.make_grouping]
