"""Writes a run's text as a dataset of tensorflow-datasets."""

import argparse

from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "write a configuration's text as a dataset of tensorflow-datasets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="a Python file with get_config()")
    parser.add_argument("--name", metavar="NAME", help="of the dataset; lower case")
    parser.add_argument(
        "--data_dir",
        metavar="DIR",
        default="",
        help="folder of datasets; default: TFDS_DATA_DIR or ~/tensorflow_datasets",
    )
    parser.add_argument("--version", default="1.0.0", help="default: %(default)s")


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.config import load_config, resolve
    from seq2seq_jax.data.readers.tfds_builder import prepare_tfds
    from seq2seq_jax.data.readers.tfds_folder import data_root
    from seq2seq_jax.training.data_setup import make_pipeline
    from seq2seq_jax.utils.logging import say

    for flag in ("config", "name"):
        if not getattr(arguments, flag):
            raise UserError(f"--{flag}", "is needed")
    config = resolve(load_config(arguments.config), overrides)
    keys = {"train": "input_pipeline_train", "dev": "input_pipeline_dev"}
    for key in keys.values():
        if config[key]["class"] == "ImageCaptioningInputPipeline":
            raise UserError(f"{key}.class", "reads pictures; only pairs of texts can be written")
    folder = prepare_tfds(
        {split: make_pipeline(config, key) for split, key in keys.items()},
        arguments.name,
        data_root(arguments.data_dir),
        version=arguments.version,
        description=f"Parallel text, written by seq2seq-jax from {arguments.config}.",
    )
    print(folder)
    say(
        "read it with input_pipeline_train.class=TFDSInputPipeline and its params"
        f" name={arguments.name} split=train data_dir={data_root(arguments.data_dir)};"
        " input_pipeline_dev likewise with split=dev"
    )
