"""Moving in: from a model of google/seq2seq to a workdir that train, eval and infer accept."""

import logging
import os
from collections.abc import Sequence

import numpy as np

from seq2seq_jax.config import read_tf_config, resolve, write_config
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.importers.tf_variables import import_model, read_variables
from seq2seq_jax.models.build import build_model
from seq2seq_jax.storage.workdir import Vocabularies, Workdir, vocabulary_sizes
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
) -> None:
    """Writes a workdir with the imported model as step 0; training goes on from there.

    The optimizer starts afresh: its slots in TensorFlow are not taken over. `embedding.share` is
    turned off, because google/seq2seq made two tables all the same.

    Args:
      params_files: its YAML files, merged in order, its `train_options.json`, or a JSON file of
        `model` and `model_params`.
      variables_file: an .npz of its variables by their TensorFlow names, or, where TensorFlow is
        installed, a checkpoint (the prefix of its files).
      vocab_source, vocab_target: its vocabulary files.
      path: of the workdir, which must not have a run yet.

    Raises:
      UserError: something does not fit; then nothing is written.
    """
    workdir = Workdir(path)
    if workdir.config_file.exists():
        raise UserError(path, "has a run already; another --workdir would do")
    given = read_tf_config(params_files)
    given.vocab_source, given.vocab_target = "", ""
    config = resolve(given)
    if config.embedding.share:
        config.embedding.share = False
        _log.info("embedding.share turned off: the imported model has two tables")
    vocabularies = Vocabularies(Vocabulary.read(vocab_source), Vocabulary.read(vocab_target))
    model = build_model(config, vocabularies.source.size, vocabularies.target.size)
    is_archive = variables_file.endswith(".npz")
    variables = (read_variables if is_archive else read_checkpoint)(variables_file)
    params = import_model(model, variables, where=variables_file)
    optimizer = make_optimizer(OptimizerConfig.from_config(config.optimizer))
    state = create_train_state(params, optimizer)

    workdir.checkpoints(config).save(
        0,
        state.saved,
        {
            "batches": None,
            "metrics": {},
            "counters": {},
            "vocabulary_sizes": vocabulary_sizes(vocabularies),
        },
    )
    workdir.write_vocabularies(vocabularies)
    write_config(config, workdir.config_file)
    _log.info("imported %s into %s", variables_file, path)


def read_checkpoint(path: str) -> dict[str, np.ndarray]:
    """The variables of a TensorFlow checkpoint by their names.

    Raises:
      UserError: TensorFlow is not installed, or cannot read it.
    """
    try:
        import tensorflow
    except ImportError as error:
        raise UserError(
            os.fspath(path),
            "is no .npz file; a checkpoint needs TensorFlow, which is not installed here:"
            " write an .npz where it is (docs/from_tf_seq2seq.md shows how)",
        ) from error
    try:
        reader = tensorflow.train.load_checkpoint(path)
    except (ValueError, RuntimeError, tensorflow.errors.OpError) as error:
        raise UserError(os.fspath(path), f"no readable checkpoint: {error}") from error
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
