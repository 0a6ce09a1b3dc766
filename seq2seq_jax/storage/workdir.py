"""The directory of one run: its configuration, vocabularies, checkpoints and metrics.

config.json                          the resolved configuration
vocab.source.txt, vocab.target.txt   one token per line; vocab.source.txt of image models is empty
subwords.source.*, subwords.target.* see `data.tokenizers`; absent for words and characters
encoder.npz                          an encoder's weights that are not trained, which are stored
                                     once instead of in each checkpoint, with its initial batch
                                     statistics
checkpoints/<step>/                  see `storage.checkpoints`
metrics.jsonl, events.out.tfevents.* see `storage.metrics_log`
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import PyTree
from ml_collections import ConfigDict

from seq2seq_jax.config import diff_configs, read_config, resolve
from seq2seq_jax.config.metric_results import best_metric_is_lower
from seq2seq_jax.data.subwords import (
    SubwordConfig,
    WordTokenizers,
    read_tokenizers,
    write_tokenizers,
)
from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizers
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.storage.arrays import digest, into_template, named_arrays
from seq2seq_jax.storage.checkpoints import Checkpoints
from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError


class Vocabularies(NamedTuple):
    """The vocabularies of a model; the source vocabulary of an image model is empty.

    Attributes:
      source: The source vocabulary.
      target: The target vocabulary.
    """

    source: Vocabulary
    target: Vocabulary


EMPTY_VOCABULARY = Vocabulary(())


class Workdir:
    """The paths in a workdir, and what is read from them and written to them."""

    def __init__(self, path: str | Path) -> None:
        """Name the paths; nothing is read or written.

        Args:
          path: The directory, which may not exist yet.
        """
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.checkpoints_dir = self.path / "checkpoints"
        self.encoder_file = self.path / "encoder.npz"
        self._vocabulary_files = (
            self.path / "vocab.source.txt",
            self.path / "vocab.target.txt",
        )

    def config(self) -> ConfigDict:
        """Return the configuration that the run was started with.

        Raises:
          UserError: There is none, because nothing was trained here.
        """
        if not self.config_file.exists():
            raise UserError(
                str(self.path), "no config.json here; train first, or name another workdir"
            )
        return read_config(self.config_file)

    def vocabularies(self) -> Vocabularies | None:
        """Return the vocabularies of the run, or None if it has not stored them yet."""
        source, target = self._vocabulary_files
        if not (source.exists() and target.exists()):
            return None
        return Vocabularies(
            Vocabulary.read(source) if source.stat().st_size else EMPTY_VOCABULARY,
            Vocabulary.read(target),
        )

    def write_vocabularies(self, vocabularies: Vocabularies) -> None:
        """Write the vocabularies.

        Args:
          vocabularies: The source and the target vocabulary.
        """
        for vocabulary, file in zip(vocabularies, self._vocabulary_files, strict=True):
            vocabulary.write(file)

    def non_trainable(self, template: PyTree, saved_digest: str | None = None) -> PyTree:
        """Return the model's non-trainable variables as they were at the start of the run.

        Args:
          template: Their structure (see `arrays.into_template`).
          saved_digest: The `non_trainable_digest` in a checkpoint, to be compared; None: do not
            compare.

        Raises:
          UserError: The file is missing or damaged, or does not belong to the checkpoint.
        """
        if not named_arrays(template):
            return template
        where = str(self.encoder_file)
        try:
            with np.load(self.encoder_file) as file:
                arrays = dict(file)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            reason = getattr(error, "strerror", None) or "it is damaged"
            raise UserError(
                where, f"has the encoder's weights, but: {reason}; restore a copy of it"
            ) from error
        tree = into_template(template, arrays, where)
        if saved_digest is not None and non_trainable_digest(tree) != saved_digest:
            raise UserError(
                where, "has other weights than the checkpoint was trained with; restore a copy"
            )
        return tree

    def write_non_trainable(self, tree: PyTree) -> None:
        """Write the model's non-trainable variables, if there are any.

        Args:
          tree: The variables by collection.
        """
        arrays: dict[str, Any] = named_arrays(tree)
        if not arrays:
            return
        with atomic_replace(self.encoder_file) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)

    def tokenizers(self, config: ConfigDict) -> Tokenizers | None:
        """Return the tokenizers of the run, or None if it has not stored their subwords yet.

        Args:
          config: The run's configuration.

        Raises:
          UserError: A file of subwords cannot be used.
        """
        if not self.config_file.exists():
            return None
        subwords = SubwordConfig(**config.get("subwords", {}))
        return read_tokenizers(self.path, word_tokenizers(config), subwords)

    def write_tokenizers(self, tokenizers: Tokenizers) -> None:
        """Write the files of subword tokenizers.

        Args:
          tokenizers: The source and the target tokenizer.
        """
        write_tokenizers(self.path, tokenizers)

    def checkpoints(self, config: ConfigDict) -> Checkpoints:
        """Return the checkpoints of the run.

        Args:
          config: Says which checkpoints are kept and which metric selects the best one.
        """
        return Checkpoints(
            self.checkpoints_dir,
            keep_max=config.keep_checkpoint_max,
            keep_every_n_hours=config.keep_checkpoint_every_n_hours,
            best_metric=config.best_metric,
            lower_is_better=best_metric_is_lower(config),
        )


def word_tokenizers(config: ConfigDict) -> WordTokenizers:
    """Return the tokenizers that split texts into words or characters.

    Args:
      config: A resolved configuration.

    Returns:
      The tokenizers of both sides. If the sources are images, that of the source is not used.
    """
    pipeline = config.input_pipeline_train.params
    source = DelimiterTokenizer(
        pipeline.get("source_delimiter", " "), config.get("source", {}).get("lowercase", False)
    )
    return WordTokenizers(source, DelimiterTokenizer(pipeline.target_delimiter))


def check_same_configuration(workdir: Workdir, config: ConfigDict) -> None:
    """Check that a run is resumed with the configuration that it was started with.

    Keys that did not exist when the run was started count as having their defaults.

    Args:
      workdir: The run's directory, which may not exist yet.
      config: A resolved configuration.

    Raises:
      UserError: Keys that matter to training differ from the workdir's configuration.
    """
    if not workdir.config_file.exists():
        return
    different = diff_configs(resolve(workdir.config()), config)
    if different:
        raise UserError(
            str(workdir.config_file),
            f"this run was started with another configuration: {', '.join(different)}"
            f" {'differs' if len(different) == 1 else 'differ'};"
            " use the old values, or another --workdir",
        )


def check_vocabularies_fit(data: Mapping[str, Any], vocabularies: Vocabularies, where: str) -> None:
    """Check that vocabularies have the sizes with which a checkpoint was saved.

    Args:
      data: The checkpoint's data, with its `vocabulary_sizes`.
      vocabularies: The vocabularies to check.
      where: The checkpoint, for errors.

    Raises:
      UserError: A size differs.
    """
    saved = data["vocabulary_sizes"]
    for side, vocabulary in vocabularies._asdict().items():
        if vocabulary.size != saved[side]:
            raise UserError(
                f"vocab_{side}",
                f"the {side} vocabulary has {vocabulary.size} tokens, special ones included, but"
                f" {where} was trained with {saved[side]}; use that vocabulary",
            )


def vocabulary_sizes(vocabularies: Vocabularies) -> dict[str, int]:
    """Return the sizes that a checkpoint contains and `check_vocabularies_fit` compares.

    Args:
      vocabularies: The source and the target vocabulary.
    """
    return {side: vocabulary.size for side, vocabulary in vocabularies._asdict().items()}


def non_trainable_digest(tree: PyTree) -> str:
    """Return the digest of non-trainable variables, which each checkpoint contains.

    Args:
      tree: The variables by collection.

    Returns:
      The digest; empty if there are no variables.
    """
    return digest(tree) if named_arrays(tree) else ""
