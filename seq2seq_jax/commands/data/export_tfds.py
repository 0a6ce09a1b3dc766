"""The command `export-tfds`."""

import argparse

from seq2seq_jax.commands.run_arguments import add_trust, trust_of
from seq2seq_jax.config.overrides import Overrides

HELP = "Write the text of a configuration as a dataset of TensorFlow Datasets."
EXAMPLES = (
    "export-tfds --config=configs/toy_copy.py --name=toy_copy",
    "export-tfds --config=configs/g2p.py --name=cmudict_split --data-dir=datasets",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    parser.add_argument(
        "--config", metavar="FILE", required=True, help="A Python file with get_config()."
    )
    add_trust(parser)
    parser.add_argument(
        "--name", metavar="NAME", required=True, help="The name of the dataset, in lower case."
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        default="",
        help="The directory of datasets. The default is $TFDS_DATA_DIR or ~/tensorflow_datasets.",
    )
    parser.add_argument(
        "--version", default="1.0.0", help="The version of the dataset. The default is %(default)s."
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Write the dataset, and print its directory.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument, a configuration key or a file is wrong.
    """
    from seq2seq_jax.config import load_config, resolve
    from seq2seq_jax.data.readers.tfds_export import export_tfds
    from seq2seq_jax.data.readers.tfds_prepared import data_root
    from seq2seq_jax.problems.protocol import problem_of
    from seq2seq_jax.problems.setup import make_pipeline
    from seq2seq_jax.utils.logging import say

    config = resolve(load_config(arguments.config, trust_of(arguments, overrides)), overrides)
    keys = {"train": "input_pipeline_train", "dev": "input_pipeline_dev"}
    problem_of(config).require_texts(config, "model")
    directory = export_tfds(
        {split: make_pipeline(config, key) for split, key in keys.items()},
        arguments.name,
        data_root(arguments.data_dir),
        version=arguments.version,
        description=f"Parallel text, written by seq2seq-jax from {arguments.config}.",
    )
    print(directory)
    say(
        "To read it, set input_pipeline_train.class=TFDSInputPipeline with the params"
        f" name={arguments.name} split=train data_dir={data_root(arguments.data_dir)};"
        " the same for input_pipeline_dev with split=dev"
    )
