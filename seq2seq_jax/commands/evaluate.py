"""Evaluates a trained model."""

import argparse

from seq2seq_jax.commands.run_folder import add_workdir, required_workdir
from seq2seq_jax.config.overrides import Overrides

HELP = "evaluate a trained model on its dev set (input_pipeline_dev)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workdir(parser)


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.config import resolve
    from seq2seq_jax.console import say
    from seq2seq_jax.devices import Devices
    from seq2seq_jax.evaluation.dev_evaluation import describe_samples, make_evaluate
    from seq2seq_jax.inference.loading import load_ensemble
    from seq2seq_jax.training.picture_preparation import load_dev_pictures
    from seq2seq_jax.training.preparation import load_dev_set, make_dev_data
    from seq2seq_jax.workdir import Workdir

    workdir = Workdir(required_workdir(arguments))
    config = resolve(workdir.config(), overrides)
    members = load_ensemble(workdir, config)
    first, alone = members[0], len(members) == 1
    devices = Devices(config.parallel)
    which = ", ".join(member.which for member in members)
    if "pictures" in config:
        dev = load_dev_pictures(config, first, devices)
        say(f"evaluating {which} on {len(dev.names)} pictures")
    else:
        dev_set = load_dev_set(config, first.tokenizers, first.vocabularies)
        dev = make_dev_data(config, dev_set, devices)
        say(f"evaluating {which} on {len(dev_set.corpus)} pairs of {len(dev_set)} sources")
    evaluate = make_evaluate(
        first.model if alone else [member.model for member in members],
        config,
        first.tokenizers.target,
        first.vocabularies.target,
        dev,
        devices,
    )
    params = first.params if alone else [member.params for member in members]
    results, samples = evaluate(
        devices.replicate(params), devices.replicate(dict(first.collections))
    )
    if samples:
        say(describe_samples(samples))
    width = max(map(len, results))
    for name, value in results.items():
        print(f"{name:<{width}}  {value if isinstance(value, str) else format(value, '.4f')}")
