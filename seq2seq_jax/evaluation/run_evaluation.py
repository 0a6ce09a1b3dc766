"""A trained model, from its workdir, on its dev set."""

import math
from typing import NamedTuple

import jax
from ml_collections import ConfigDict

from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.evaluation.dev_evaluation import Evaluation, make_evaluate
from seq2seq_jax.inference.loading import load_ensemble
from seq2seq_jax.problems.protocol import problem_of
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.utils.logging import say


class RunEvaluation(NamedTuple):
    """
    Attributes:
      steps: of the checkpoint, or of those whose mean the parameters are.
      parameters: how many numbers training chooses.
    """

    evaluation: Evaluation
    steps: list[int]
    parameters: int


def evaluate_run(
    workdir: Workdir, config: ConfigDict, num_samples: int | None = 5
) -> RunEvaluation:
    """Evaluates the checkpoint that `config.inference` names, or an ensemble.

    Args:
      config: resolved, of the workdir; `inference`, `metrics` and `input_pipeline_dev` may differ.
      num_samples: how many samples come with the results; None: all sources.

    Raises:
      UserError: nothing was trained here, or the dev data cannot be used.
    """
    members = load_ensemble(workdir, config)
    first, alone = members[0], len(members) == 1
    devices = Devices(config.parallel)
    which = ", ".join(member.which for member in members)
    dev = problem_of(config).prepare_dev(config, members, devices)
    say(f"evaluating {which} on {dev.description}")
    evaluate = make_evaluate(
        first.model if alone else [member.model for member in members],
        config,
        first.tokenizers.target,
        first.vocabularies.target,
        dev,
        devices,
        len(dev.names) if num_samples is None else num_samples,
    )
    params = first.params if alone else [member.params for member in members]
    evaluation = evaluate(devices.replicate(params), devices.replicate(dict(first.collections)))
    parameters = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(first.params))
    return RunEvaluation(evaluation, first.steps, parameters)
