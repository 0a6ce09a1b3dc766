"""The command `train`."""

import argparse
from typing import TYPE_CHECKING

from seq2seq_jax.commands.data.data_flags import add_data_arguments, data_overrides
from seq2seq_jax.commands.run_arguments import add_workdir, trust_of
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.config.recipes import NO_CONFIG
from seq2seq_jax.devices.distributed import add_host_arguments, initialize_distributed
from seq2seq_jax.utils.errors import UserError

if TYPE_CHECKING:
    from ml_collections import ConfigDict

    from seq2seq_jax.config import Trust

HELP = "Train a model, or resume the training of a run."
EXAMPLES = (
    "train --config=toy_reverse",
    "train --workdir=runs/tuned --config.initialize_from=runs/general --train-file=train.tsv"
    " --dev-file=dev.tsv",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_workdir(parser)
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="The name of a recipe (see the command configs), or a Python file with get_config();"
        " FILE:ARGUMENT passes it an argument. Without --workdir, the run is in runs/NAME, where"
        " NAME is the name of the file. Without --config, a new run has the configuration of the"
        " run that --config.initialize_from names.",
    )
    parser.add_argument(
        "--allow-changes",
        metavar="KEY[,KEY...]",
        default="",
        help="Keys that may change when the run resumes, as optimizer.learning_rate; the history"
        " of the workdir records the changes.",
    )
    add_data_arguments(parser)
    add_host_arguments(parser)


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Train the model, and draw its learning curve.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    from seq2seq_jax.config import config_name, load_config, resolve
    from seq2seq_jax.schema.rules import split_names

    initial = dict(overrides).get("initialize_from", "")
    if arguments.config:
        workdir = arguments.workdir or f"runs/{config_name(arguments.config)}"
        config = load_config(arguments.config, trust_of(arguments, overrides))
    elif arguments.workdir:
        from seq2seq_jax.storage.workdir import Workdir

        workdir = arguments.workdir
        run_to_resume = Workdir(workdir, trust_of(arguments, overrides))
        if run_to_resume.config_file.exists():
            config = run_to_resume.config()
        elif initial:
            config = _configuration_of(initial, trust_of(arguments, overrides))
        else:
            raise UserError(workdir, f"no run to resume is here; to start one, {NO_CONFIG}")
    else:
        raise UserError("--config", NO_CONFIG)
    config = resolve(config, data_overrides(arguments, config, overrides))

    # These import JAX; a wrong flag is reported before.
    from seq2seq_jax.devices.parallel import Devices
    from seq2seq_jax.reports.learning_curve import plot_learning_curve, terminal_curves
    from seq2seq_jax.training.train import train
    from seq2seq_jax.utils.logging import say, slow_work

    initialize_distributed(arguments)
    allowed = split_names(arguments.allow_changes)
    if train(config, workdir, allow_changes=allowed) and Devices().is_main:
        with slow_work("Drawing the learning curve"):
            plot = plot_learning_curve(workdir)
        say(f"{terminal_curves(workdir)}\nLearning curve in {plot}")


def _configuration_of(initial: str, trust: "Trust") -> "ConfigDict":
    """Return the configuration of a run as that of a new run that starts from it.

    Files that were read once, whose content the run has stored, are left out.
    """
    from seq2seq_jax.config import default_config
    from seq2seq_jax.storage.run_reference import parse_run_reference
    from seq2seq_jax.storage.workdir import Workdir

    config = Workdir(parse_run_reference(initial).path, trust).config()
    config.transfer = default_config("AttentionSeq2Seq").transfer
    for name in ("initialize_from", "vocab_source", "vocab_target"):
        if name in config:
            config[name] = ""
    for name in ("source_model", "target_model"):
        if "subwords" in config:
            config.subwords[name] = ""
    return config
