"""Convert a trained model of google/seq2seq to a workdir for train, eval and infer."""

import logging
import os
from collections.abc import Sequence

import numpy as np

from seq2seq_jax.config import Trust, read_tf_config, resolve, write_config
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.importers.tf_variables import import_model, read_variables
from seq2seq_jax.models.build import build_model
from seq2seq_jax.storage.workdir import Vocabularies, Workdir
from seq2seq_jax.training.optimizers import OptimizerConfig, make_optimizer
from seq2seq_jax.training.train_step import create_train_state
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)


def import_tf(
    params_files: Sequence[str],
    variables_file: str,
    vocab_source: str,
    vocab_target: str,
    path: str,
    trust: Trust = False,
) -> None:
    """Write a workdir whose checkpoint at step 0 is the imported model.

    Training can continue from there. The state of the optimizer is not imported. `embedding.share`
    is turned off, because google/seq2seq has two embedding tables even with this option.

    Args:
      params_files: The YAML files of the model, merged in order, its `train_options.json`, or a
        JSON file of `model` and `model_params`.
      variables_file: An .npz file of its variables by their TensorFlow names or, if TensorFlow is
        installed, a checkpoint (the prefix of its files).
      vocab_source: Its source vocabulary file.
      vocab_target: Its target vocabulary file.
      path: The workdir, which must not contain a run.
      trust: Which custom classes the files of the model may name.

    Raises:
      UserError: A file cannot be used, or the variables do not fit the model. Then nothing is
        written.
    """
    workdir = Workdir(path)
    if workdir.config_file.exists():
        raise UserError(path, "contains a run; use another --workdir")
    given = read_tf_config(params_files, trust)
    given.vocab_source, given.vocab_target = "", ""
    config = resolve(given)
    if config.embedding.share:
        config.embedding.share = False
        _log.info("Set embedding.share=False: the imported model has two embedding tables")
    vocabularies = Vocabularies(Vocabulary.read(vocab_source), Vocabulary.read(vocab_target))
    model = build_model(config, vocabularies.source.size, vocabularies.target.size)
    is_archive = variables_file.endswith(".npz")
    variables = (read_variables if is_archive else read_checkpoint)(variables_file)
    params = import_model(model, variables, where=variables_file)
    optimizer = make_optimizer(OptimizerConfig.from_config(config.optimizer))
    state = create_train_state(params, optimizer)

    workdir.write_vocabularies(vocabularies)
    workdir.checkpoints(config).save(0, state.saved, {})
    write_config(config, workdir.config_file)
    _log.info("Imported %s into %s", variables_file, path)


def read_checkpoint(path: str) -> dict[str, np.ndarray]:
    """Read the variables of a TensorFlow checkpoint.

    Args:
      path: The prefix of its files.

    Returns:
      The variables by their names.

    Raises:
      UserError: TensorFlow is not installed, or cannot read the checkpoint.
    """
    try:
        import tensorflow
    except ImportError as error:
        raise UserError(
            os.fspath(path),
            "is not an .npz file, and reading a checkpoint requires TensorFlow, which is not"
            " installed; convert it to .npz on a machine with TensorFlow (see"
            " docs/from_tf_seq2seq.md)",
        ) from error
    try:
        reader = tensorflow.train.load_checkpoint(path)
    except (ValueError, RuntimeError, tensorflow.errors.OpError) as error:
        raise UserError(os.fspath(path), f"is not a readable checkpoint ({error})") from error
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
