"""The folder of one run: its configuration, vocabularies, checkpoints and metrics.

config.json                          the resolved configuration
vocab.source.txt, vocab.target.txt   one token a line; vocab.source.txt of image models is empty
subwords.source.*, subwords.target.* see `data.tokenizers`; none for words and characters
encoder.npz                          an encoder's weights that are not trained: here once, and not
                                     in each checkpoint; with its statistics of batches at the start
checkpoints/<step>/                  see `checkpoints`
metrics.jsonl, events.out.tfevents.* see `training.metric_writers`
"""

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.config import differences, read_config, resolve
from seq2seq_jax.data.subwords import (
    SubwordConfig,
    WordTokenizers,
    read_tokenizers,
    write_tokenizers,
)
from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizers
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.storage.checkpoints import Checkpoints, digest, into_template, named_arrays
from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError


class Vocabularies(NamedTuple):
    """That of the source is empty where sources are pictures."""

    source: Vocabulary
    target: Vocabulary


EMPTY_VOCABULARY = Vocabulary(())


class Workdir:
    """The paths in a workdir, and what is read from them."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.checkpoints_dir = self.path / "checkpoints"
        self.encoder_file = self.path / "encoder.npz"
        self._vocabulary_files = (
            self.path / "vocab.source.txt",
            self.path / "vocab.target.txt",
        )

    def config(self) -> ConfigDict:
        """The configuration that the run was started with.

        Raises:
          UserError: there is none: nothing was trained here.
        """
        if not self.config_file.exists():
            raise UserError(
                str(self.path), "no config.json here; train first, or name another workdir"
            )
        return read_config(self.config_file)

    def vocabularies(self) -> Vocabularies | None:
        """The vocabularies of the run, None if it has not stored them yet."""
        source, target = self._vocabulary_files
        if not (source.exists() and target.exists()):
            return None
        return Vocabularies(
            Vocabulary.read(source) if source.stat().st_size else EMPTY_VOCABULARY,
            Vocabulary.read(target),
        )

    def write_vocabularies(self, vocabularies: Vocabularies) -> None:
        for vocabulary, file in zip(vocabularies, self._vocabulary_files, strict=True):
            vocabulary.write(file)

    def collections(self, template: Any, saved_digest: str | None = None) -> Any:
        """What the model has besides parameters, as it was at the start of the run.

        Args:
          template: its structure (see `checkpoints.into_template`).
          saved_digest: by which a checkpoint knows it (`collections_digest`).

        Raises:
          UserError: its file is missing or damaged, or is not the one of the checkpoint.
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
        if saved_digest is not None and collections_digest(tree) != saved_digest:
            raise UserError(
                where, "has other weights than the checkpoint was trained with; restore a copy"
            )
        return tree

    def write_collections(self, tree: Any) -> None:
        """Writes what `collections` reads, whole or not at all; without any, no file."""
        arrays = named_arrays(tree)
        if not arrays:
            return
        with atomic_replace(self.encoder_file) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def tokenizers(self, config: ConfigDict) -> Tokenizers | None:
        """The tokenizers of the run, None if it has not stored their subwords yet.

        Raises:
          UserError: a file of theirs cannot be used.
        """
        if not self.config_file.exists():
            return None
        subwords = SubwordConfig(**config.get("subwords", {}))
        return read_tokenizers(self.path, word_tokenizers(config), subwords)

    def write_tokenizers(self, tokenizers: Tokenizers) -> None:
        write_tokenizers(self.path, tokenizers)

    def checkpoints(self, config: ConfigDict) -> Checkpoints:
        return Checkpoints(
            self.checkpoints_dir,
            keep_max=config.keep_checkpoint_max,
            keep_every_n_hours=config.keep_checkpoint_every_n_hours,
            best_metric=config.best_metric,
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

    Raises:
      UserError: Keys that matter to training differ from the workdir's configuration.
    """
    if not workdir.config_file.exists():
        return
    different = differences(resolve(workdir.config()), config)
    if different:
        raise UserError(
            str(workdir.config_file),
            f"this run was started with another configuration: {', '.join(different)}"
            f" {'differs' if len(different) == 1 else 'differ'};"
            " use the old values, or another --workdir",
        )


def check_vocabularies_fit(data: dict, vocabularies: Vocabularies, where: str) -> None:
    """Compares the sizes that a checkpoint was saved with (`vocabulary_sizes`) with today's.

    Raises:
      UserError: they differ; names both sizes.
    """
    saved = data["vocabulary_sizes"]
    for side, vocabulary in vocabularies._asdict().items():
        if vocabulary.size != saved[side]:
            raise UserError(
                f"vocab_{side}",
                f"the {side} vocabulary has {vocabulary.size} tokens, special ones included, but"
                f" {where} was trained with {saved[side]}; that vocabulary would do",
            )


def vocabulary_sizes(vocabularies: Vocabularies) -> dict[str, int]:
    """What `check_vocabularies_fit` compares; goes into each checkpoint."""
    return {side: vocabulary.size for side, vocabulary in vocabularies._asdict().items()}


def collections_digest(tree: Any) -> str:
    """Names what a model has besides parameters; goes into each checkpoint. Empty if nothing."""
    return digest(tree) if named_arrays(tree) else ""
