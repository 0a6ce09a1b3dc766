"""The command `import-tf`."""

import argparse

from seq2seq_jax.commands.run_arguments import (
    add_workdir,
    refuse_overrides,
    required_workdir,
    trust_of,
)
from seq2seq_jax.config.overrides import Overrides

HELP = "Convert a model of google/seq2seq into a workdir."
EXAMPLES = (
    "import-tf --params=train_options.json --variables=model.ckpt-1000"
    " --vocab-source=vocab.src --vocab-target=vocab.tgt --workdir=runs/imported",
    "import-tf --params=model.yml,train.yml --variables=model.npz"
    " --vocab-source=vocab.src --vocab-target=vocab.tgt --workdir=runs/imported",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_workdir(parser)
    for flags, metavar, what in (
        (["--params"], "FILE[,FILE...]", "Its YAML files, or its train_options.json."),
        (["--variables"], "FILE", "An .npz file of its variables, or its checkpoint."),
        (["--vocab-source", "--vocab_source"], "FILE", "Its source vocabulary."),
        (["--vocab-target", "--vocab_target"], "FILE", "Its target vocabulary."),
    ):
        parser.add_argument(*flags, metavar=metavar, help=what, required=True)


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Write the workdir of the imported model.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    from seq2seq_jax.importers.tf_seq2seq import import_tf

    refuse_overrides(overrides, "is set by --params; change it in that file")
    import_tf(
        arguments.params.split(","),
        arguments.variables,
        arguments.vocab_source,
        arguments.vocab_target,
        required_workdir(arguments),
        trust_of(arguments, overrides),
    )
