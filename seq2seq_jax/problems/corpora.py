"""The corpora of a mixture: the files of the training pipeline, one by one."""

from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.data.mixture import Mixture, parse_stages
from seq2seq_jax.data.readers.input_pipeline import build_pipeline, split_file_names
from seq2seq_jax.utils.errors import UserError

_KEY = "input_pipeline_train"


def make_mixture(
    config: ConfigDict, num_examples: int, tokenize: Callable[[Any], Sized]
) -> Mixture | None:
    """Return the mixture of the training files, if `corpora.weights` asks for one.

    Args:
      config: A resolved configuration.
      num_examples: The number of examples of all files together.
      tokenize: Reads and tokenizes what a pipeline yields; its length is the number of examples.

    Returns:
      The mixture; None without weights.

    Raises:
      UserError: The pipeline has no files, or their number is not that of the weights.
    """
    if not config.corpora.weights:
        return None
    params = config[_KEY].params.to_dict()
    keys = [name for name in ("source_files", "target_files", "files") if params.get(name)]
    lists = [split_file_names(params[name]) for name in keys]
    if not lists:
        what = f"needs training files, but {config[_KEY]['class']} has none; leave it out"
        raise UserError("corpora.weights", what)
    found = resolve_class("pipeline", config[_KEY]["class"], f"{_KEY}.class")
    stages, names, sizes = parse_stages(config.corpora.weights), [], []
    for files in zip(*lists, strict=True):
        values = {key: file.replace(",", "\\,") for key, file in zip(keys, files, strict=True)}
        pipeline = build_pipeline(found, {**params, **values}, f"{_KEY}.params")
        names.append(Path(files[0]).name)
        sizes.append(len(tokenize(pipeline)))
    if sum(sizes) != num_examples:
        what = f"needs the examples of the files alone, which are {sum(sizes):,}; the training data"
        raise UserError("corpora.weights", f"{what} are {num_examples:,}; leave out augmentation")
    return Mixture(tuple(names), tuple(sizes), stages)
