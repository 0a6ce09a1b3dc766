"""The directory of one run: its configuration, vocabularies, checkpoints and metrics.

config.json                          the resolved configuration
vocab.source.txt, vocab.target.txt   one token per line; vocab.source.txt of image models is empty
vocab.features.txt                   likewise; absent if the model reads no features
subwords.source.*, subwords.target.* see `data.tokenizers`; absent for words and characters
encoder.npz                          an encoder's weights that are not trained, which are stored
                                     once instead of in each checkpoint, with its initial batch
                                     statistics
checkpoints/<step>/                  see `storage.checkpoints`
history.json                         see `storage.history`
metrics.jsonl, events.out.tfevents.* see `storage.metrics_log`
train.lock                           locked by the process that trains here (see `utils.file_lock`)
"""

import logging
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import PyTree
from ml_collections import ConfigDict

from seq2seq_jax.config import (
    Trust,
    diff_configs,
    read_config,
)
from seq2seq_jax.config.feature_rules import reads_features
from seq2seq_jax.config.languages import is_multilingual
from seq2seq_jax.config.metric_results import best_metric_is_lower
from seq2seq_jax.data.features import FeaturesTokenizer
from seq2seq_jax.data.normalization import normalizes
from seq2seq_jax.data.subwords import (
    SubwordConfig,
    WordTokenizers,
    read_tokenizers,
    write_tokenizers,
)
from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizers
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.storage.arrays import into_template, named_arrays
from seq2seq_jax.storage.checkpoints import Checkpoints
from seq2seq_jax.storage.history import changed_since
from seq2seq_jax.storage.packed_workdir import unpack_workdir
from seq2seq_jax.utils.archives import read_npz
from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.integrity import SEAL, DamagedFileError, read_json_object, sha256_of

_log = logging.getLogger(__name__)


class Vocabularies(NamedTuple):
    """The vocabularies of a model; the source vocabulary of an image model is empty.

    Attributes:
      source: The source vocabulary.
      target: The target vocabulary.
      features: The vocabulary of features; None: the model reads none.
    """

    source: Vocabulary
    target: Vocabulary
    features: Vocabulary | None = None

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The numbers of tokens, as `build_model` takes them; 0 if there is no vocabulary."""
        return self.source.size, self.target.size, self.features.size if self.features else 0


_SIDES = ("source", "target")
_VERIFIED_FILES = [
    *(f"vocab.{side}.txt" for side in Vocabularies._fields),
    *(f"subwords.{side}.{suffix}" for side in _SIDES for suffix in ("codes", "model")),
    "encoder.npz",
]

EMPTY_VOCABULARY = Vocabulary(())


class Workdir:
    """The paths in a workdir, and what is read from them and written to them."""

    def __init__(self, path: str | Path, trust: Trust = False) -> None:
        """Name the paths; nothing is read or written, unless the workdir is packed.

        Args:
          path: The directory, which may not exist yet, or a packed workdir, which is unpacked into
            the user's cache.
          trust: Which custom classes its configuration may name.

        Raises:
          UserError: The path is not UTF-8, as the library that reads checkpoints needs it, or it is
            a file that is no packed workdir.
        """
        self.path = Path(path)
        self.trust = trust
        if self.path.is_file():
            self.path = unpack_workdir(self.path)
        try:
            str(self.path.absolute()).encode()
        except UnicodeEncodeError as error:
            raise UserError(repr(str(path)), "is not UTF-8; use another --workdir") from error
        self.lock_file = self.path / "train.lock"
        self.config_file = self.path / "config.json"
        self.checkpoints_dir = self.path / "checkpoints"
        self.encoder_file = self.path / "encoder.npz"
        self._vocabulary_files = [self.path / f"vocab.{s}.txt" for s in Vocabularies._fields]

    def config(self) -> ConfigDict:
        """Return the configuration that the run was started with.

        If keys that may change on resuming were edited, a warning names them.

        Raises:
          UserError: There is none, because nothing was trained here; it was edited or damaged in a
            key that decides the parameters; or it names a custom class that is not trusted.
        """
        if not self.config_file.exists():
            raise UserError(
                str(self.path), "no config.json here; train first, or name another workdir"
            )
        try:
            return read_config(self.config_file, self.trust)
        except DamagedFileError as error:
            return self._edited_config(error)

    def describe(self, config: ConfigDict) -> dict[str, object]:
        """Return what each checkpoint says of the run: its configuration, and digests of its files.

        Args:
          config: The run's configuration.
        """
        files = [self.path / name for name in _VERIFIED_FILES]
        digests = {path.name: sha256_of(path) for path in files if path.exists()}
        unicode = {"unicode": unicodedata.unidata_version} if _needs_unicode(config) else {}
        return {"config": config.to_dict(), "files": digests} | unicode

    def verify(self, step: int | None = None) -> None:
        """Verify that the files of the run are those with which a checkpoint was saved.

        Args:
          step: The step of the checkpoint; None: the latest whose metadata are undamaged.

        Raises:
          UserError: The configuration, a vocabulary, a subword model or the encoder's weights
            differ, or a file is missing.
        """
        entry = Checkpoints(self.checkpoints_dir).entry(step)
        run = entry.get("run")
        if not run:
            return
        where = self.checkpoints_dir / str(entry["step"])
        for name, expected in run["files"].items():
            file = self.path / name
            if not file.exists():
                raise UserError(str(file), f"is missing, and {where} needs it; restore a copy")
            found = sha256_of(file)
            if found != expected:
                raise UserError(
                    str(file),
                    f"differs from the file with which {where} was saved (SHA-256 {found[:12]}...,"
                    f" not {expected[:12]}...); restore a copy",
                )
        stored = read_json_object(self.config_file)
        old = run["config"]
        both = old.keys() & stored.keys()  # A later version can have other keys.
        different = diff_configs(*({key: values[key] for key in both} for values in (old, stored)))
        allowed = changed_since(self.path, entry["step"]) if different else set()
        different = [key for key in different if key not in allowed]
        if different:
            raise UserError(
                str(self.config_file),
                f"is not the configuration with which {where} was saved: {', '.join(different)}"
                f" {'differs' if len(different) == 1 else 'differ'}; restore a copy",
            )

    def vocabularies(self) -> Vocabularies | None:
        """Return the vocabularies of the run, or None if it has no checkpoint yet.

        Without a checkpoint, nothing verifies the files that a killed process left behind.
        """
        required = self._vocabulary_files[:2]  # That of features is optional.
        if not (all(file.exists() for file in required) and self._has_checkpoint()):
            return None
        return self.read_vocabularies()

    def read_vocabularies(self) -> Vocabularies:
        """Read the vocabulary files.

        Raises:
          UserError: A file cannot be read.
        """
        source, target, features = self._vocabulary_files
        has_source = not source.exists() or source.stat().st_size
        return Vocabularies(
            Vocabulary.read(source) if has_source else EMPTY_VOCABULARY,
            Vocabulary.read(target),
            Vocabulary.read(features) if features.exists() else None,
        )

    def write_vocabularies(self, vocabularies: Vocabularies) -> None:
        """Write the vocabularies.

        Args:
          vocabularies: The vocabularies.
        """
        for vocabulary, file in zip(vocabularies, self._vocabulary_files, strict=True):
            if vocabulary is None:
                file.unlink(missing_ok=True)
            else:
                vocabulary.write(file)

    def non_trainable(self, template: PyTree) -> PyTree:
        """Return the model's non-trainable variables as they were at the start of the run.

        Args:
          template: Their structure (see `arrays.into_template`).

        Raises:
          UserError: The file is missing or damaged, or does not fit the template.
        """
        if not named_arrays(template):
            return template
        where = str(self.encoder_file)
        return into_template(template, read_npz(self.encoder_file), where)

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
        """Return the tokenizers of the run, or None if it has no checkpoint yet.

        Args:
          config: The run's configuration.

        Raises:
          UserError: A file of subwords cannot be used.
        """
        if not (self.config_file.exists() and self._has_checkpoint()):
            return None
        self._warn_of_unicode(config)
        subwords = SubwordConfig(**config.get("subwords", {}))
        tokenizers = read_tokenizers(self.path, word_tokenizers(config), subwords)
        return tokenizers and tokenizers._replace(features=features_tokenizer(config))

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
            describe_run=lambda: self.describe(config),
        )

    def _has_checkpoint(self) -> bool:
        return Checkpoints(self.checkpoints_dir).latest_step() is not None

    def _warn_of_unicode(self, config: ConfigDict) -> None:
        """Warn if the run normalized texts by another version of Unicode than this Python's."""
        if not _needs_unicode(config):
            return
        old = Checkpoints(self.checkpoints_dir).entry().get("run", {}).get("unicode")
        if old and old != unicodedata.unidata_version:
            what = "%s was trained with Unicode %s, and this Python has %s; characters that are new"
            what += " in one of them may be split differently"
            _log.warning(what, self.path, old, unicodedata.unidata_version)

    def _edited_config(self, error: DamagedFileError) -> ConfigDict:
        """Return a configuration that was edited, if the latest checkpoint fits it."""
        entry = Checkpoints(self.checkpoints_dir).entry()
        old = entry.get("run", {}).get("config", {})
        new = read_json_object(self.config_file)
        new.pop(SEAL, None)
        changed = diff_configs(old, new, free=()) if old else []
        listed = f" ({', '.join(changed[:5])})" if changed else ""
        what = f"was edited or damaged after the program wrote it{listed}"
        if not old or diff_configs(old, new):
            raise UserError(
                error.where,
                f"{what}; undo that, or restore a copy, and use flags for changes, as in"
                " --config.train_steps=200",
            ) from error
        _log.warning("%s: %s; its values are used", error.where, what)
        return read_config(self.config_file, self.trust, verify=False)


def _needs_unicode(config: ConfigDict) -> bool:
    clusters = any(config.get(side, {}).get("grapheme_clusters") for side in _SIDES)
    return bool(clusters or normalized_sides(config))


def normalized_sides(config: ConfigDict) -> list[str]:
    """Return the sides whose texts are normalized: "source", "target", both or none.

    Args:
      config: A resolved configuration.
    """
    return [side for side in _SIDES if normalizes(config.get(side, {}).get("normalization", ""))]


def stored_files() -> tuple[str, ...]:
    """Return the names of the files that belong to a model, without its configuration.

    Each run has some of them.
    """
    return tuple(_VERIFIED_FILES)


def word_tokenizers(config: ConfigDict) -> WordTokenizers:
    """Return the tokenizers that split texts into words or characters.

    Args:
      config: A resolved configuration.

    Returns:
      The tokenizers of both sides. If the sources are images, that of the source is not used.
    """
    pipeline = config.input_pipeline_train.params
    source, target = (
        DelimiterTokenizer(
            pipeline.get(f"{side}_delimiter", " "),
            settings.get("lowercase", False),
            settings.get("normalization", ""),
            settings.get("grapheme_clusters", False),
        )
        for side, settings in ((side, config.get(side, {})) for side in _SIDES)
    )
    return WordTokenizers(source, target, is_multilingual(config))


def features_tokenizer(config: ConfigDict) -> FeaturesTokenizer | None:
    """Return the tokenizer of features; None if the model reads none.

    Args:
      config: A resolved configuration.
    """
    if not reads_features(config):
        return None
    return FeaturesTokenizer(config.input_pipeline_train.params.get("features_delimiter", ";"))
