"""The folder of one run: its configuration, vocabularies, checkpoints and metrics.

config.json                          the resolved configuration
vocab.source.txt, vocab.target.txt   one token a line
subwords.source.*, subwords.target.* see `data.tokenizers`; none for words and characters
checkpoints/<step>/                  see `checkpoints`
metrics.jsonl, events.out.tfevents.* see `training.metric_writers`
"""

from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from seq2seq_jax.checkpoints import Checkpoints
from seq2seq_jax.config import read_config
from seq2seq_jax.data.tokenizers import Tokenizers, read_tokenizers, write_tokenizers
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.errors import UserError


class Vocabularies(NamedTuple):
    source: Vocabulary
    target: Vocabulary


class Workdir:
    """The paths in a workdir, and what is read from them."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.checkpoints_dir = self.path / "checkpoints"
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
        if not all(file.exists() for file in self._vocabulary_files):
            return None
        return Vocabularies(*map(Vocabulary.read, self._vocabulary_files))

    def write_vocabularies(self, vocabularies: Vocabularies) -> None:
        for vocabulary, file in zip(vocabularies, self._vocabulary_files, strict=True):
            vocabulary.write(file)

    def tokenizers(self, config: ConfigDict) -> Tokenizers | None:
        """The tokenizers of the run, None if it has not stored their subwords yet.

        Raises:
          UserError: a file of theirs cannot be used.
        """
        if not self.config_file.exists():
            return None
        return read_tokenizers(
            self.path,
            kind=config.subwords.kind,
            sides=config.subwords.sides,
            **text_splitting(config),
        )

    def write_tokenizers(self, tokenizers: Tokenizers) -> None:
        write_tokenizers(self.path, tokenizers)

    def checkpoints(self, config: ConfigDict) -> Checkpoints:
        return Checkpoints(
            self.checkpoints_dir,
            keep_max=config.keep_checkpoint_max,
            keep_every_n_hours=config.keep_checkpoint_every_n_hours,
            best_metric=config.best_metric,
        )


def text_splitting(config: ConfigDict) -> dict[str, Any]:
    """How texts are split where they are not split into subwords."""
    pipeline = config.input_pipeline_train.params
    return {
        "source_delimiter": pipeline.source_delimiter,
        "target_delimiter": pipeline.target_delimiter,
        "lowercase": config.source.lowercase,
    }


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
