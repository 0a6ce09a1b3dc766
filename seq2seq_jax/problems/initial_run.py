"""The run from which a new run starts: its checkpoint, and its vocabularies and tokenizers."""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.config import resolve, trusted_names
from seq2seq_jax.config.feature_rules import reads_features
from seq2seq_jax.data.subwords import SubwordConfig, read_tokenizers
from seq2seq_jax.data.tokenizers import Tokenizers
from seq2seq_jax.data.vocabulary import SPECIAL_TOKENS, Vocabulary
from seq2seq_jax.problems.setup import read_vocabulary
from seq2seq_jax.storage.run_reference import parse_run_reference
from seq2seq_jax.storage.workdir import (
    Vocabularies,
    Workdir,
    features_tokenizer,
    word_tokenizers,
)
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)
_SIDES = ("source", "target")


@dataclasses.dataclass(frozen=True)
class InitialRun:
    """A checkpoint of the run that `initialize_from` names.

    Attributes:
      path: The path of the run, as the user gave it: a workdir or a packed one.
      workdir: The workdir of the run.
      config: Its resolved configuration.
      step: The step of the checkpoint.
      arrays: The arrays of the checkpoint by their dotted names.
      data: What else the checkpoint holds, such as the position in the data.
      vocabularies: The vocabularies of the run.
      tokenizers: The tokenizers of the run.
    """

    path: str
    workdir: Workdir
    config: ConfigDict
    step: int
    arrays: Mapping[str, np.ndarray]
    data: Mapping[str, Any]
    vocabularies: Vocabularies
    tokenizers: Tokenizers

    @property
    def name(self) -> str:
        """The directory of the checkpoint."""
        return f"{self.path}/checkpoints/{self.step}"


def open_initial_run(config: ConfigDict, workdir: Workdir) -> InitialRun | None:
    """Read and verify the checkpoint that `initialize_from` names.

    Args:
      config: The resolved configuration of the new run.
      workdir: The workdir of the new run.

    Returns:
      The checkpoint; None if the configuration names none, or if the new run has a checkpoint of
      its own and resumes.

    Raises:
      UserError: There is no such checkpoint, or a file of the run is missing or damaged.
    """
    if not config.initialize_from or workdir.checkpoints(config).latest_step() is not None:
        return None
    reference = parse_run_reference(config.initialize_from)
    run = Workdir(reference.path, workdir.trust is True or trusted_names(config))
    if run.path.resolve() == workdir.path.resolve():
        raise UserError("initialize_from", f"is the workdir itself, {run.path}; use another run")
    if not run.config_file.exists():
        what = f"{run.path} has no config.json; use the workdir of a trained model"
        raise UserError("initialize_from", what)
    old = resolve(run.config())
    checkpoints = run.checkpoints(old)
    step, arrays, data = checkpoints.read(reference.step(checkpoints))
    run.verify(step)
    vocabularies, tokenizers = run.vocabularies(), run.tokenizers(old)
    if vocabularies is None or tokenizers is None:
        missing = "vocabularies" if vocabularies is None else "subwords"
        raise UserError(str(run.path), f"its {missing} are missing; restore a copy of them")
    path = reference.path
    return InitialRun(path, run, old, step, arrays, data, vocabularies, tokenizers)


def initial_tokenizers(
    config: ConfigDict, initial: InitialRun | None, make: Callable[[], Tokenizers]
) -> Tokenizers:
    """Return the tokenizers of a new run.

    Args:
      config: Its resolved configuration.
      initial: The run from which it starts, if any.
      make: Makes tokenizers from the configuration and the training data.

    Returns:
      With `transfer.subwords=keep`, those of the initial run.

    Raises:
      UserError: A side keeps its vocabulary, but splits texts in another way.
    """
    if initial is None:
        return make()
    tokenizers = None
    if config.transfer.subwords == "keep":
        if config.get("subwords") and config.subwords.kind != initial.config.subwords.kind:
            what = f'is "{config.subwords.kind}", but "{initial.config.subwords.kind}" in'
            remedy = "use the same, or transfer.subwords=replace"
            raise UserError("subwords.kind", f"{what} {initial.path}; {remedy}")
        tokenizers = _kept_tokenizers(config, initial)
    if tokenizers is None:
        tokenizers = make()
    for side in _SIDES:
        new, old = getattr(tokenizers, side), getattr(initial.tokenizers, side)
        key = f"transfer.{side}_vocabulary"
        if config.transfer[f"{side}_vocabulary"] != "replace" and new.digest() != old.digest():
            names = [f"input_pipeline_train.params.{side}_delimiter", "subwords"]
            names += ["source.lowercase"] if side == "source" else []
            what = (
                f"is {config.transfer[f'{side}_vocabulary']}, but {side} texts are not split as in"
                f" {initial.path}; use its values of {', '.join(names)}, or {key}=replace"
            )
            raise UserError(key, what)
    return tokenizers._replace(features=features_tokenizer(config))


def initial_vocabularies(
    config: ConfigDict, initial: InitialRun | None, make: Callable[[], Vocabularies]
) -> Vocabularies:
    """Return the vocabularies of a new run: kept, extended or replaced.

    Args:
      config: Its resolved configuration.
      initial: The run from which it starts, if any.
      make: Reads vocabularies from files, or builds them from the training data.

    Returns:
      The vocabularies. The ids of an extended vocabulary are those of the old tokens, the new
      tokens, and the special tokens. The vocabulary of features is extended, unless both sides keep
      theirs.

    Raises:
      UserError: A vocabulary file is named, but the vocabulary is kept; a replaced vocabulary
        shares too few tokens; or one of two shared vocabularies would differ from the other.
    """
    if initial is None:
        return make()
    modes = [config.transfer[f"{side}_vocabulary"] for side in _SIDES]
    if config.embedding.share and modes[0] != modes[1]:
        what = f"is {modes[0]}, but transfer.target_vocabulary is {modes[1]}, and embedding.share"
        raise UserError("transfer.source_vocabulary", f"{what} is true; use the same for both")
    lacks_features = reads_features(config) and initial.vocabularies.features is None
    made = make() if set(modes) != {"keep"} or lacks_features else initial.vocabularies
    chosen = []
    for side, mode in zip(_SIDES, modes, strict=True):
        old, new = getattr(initial.vocabularies, side), getattr(made, side)
        if mode == "keep":
            _check_kept(config, f"vocab_{side}", old)
            chosen.append(old)
        elif mode == "extend":
            chosen.append(_extended(old, new).padded(config.vocab_size_multiple))
        else:
            _check_shared(config, side, old, new)
            chosen.append(new)
    features = made.features if reads_features(config) else None
    if features is not None and initial.vocabularies.features is not None:
        extended = _extended(initial.vocabularies.features, features)
        features = extended.padded(config.vocab_size_multiple)
    source, target = chosen
    return Vocabularies(source, target, features)


def describe_vocabularies(initial: InitialRun, vocabularies: Vocabularies) -> list[str]:
    """Return a line for each side that says which tokens were taken.

    Args:
      initial: The run from which a new run starts.
      vocabularies: The vocabularies of the new run.

    Returns:
      Lines such as "source vocabulary: kept 26 of 26 tokens, 3 new".
    """
    lines = []
    for side in Vocabularies._fields:
        old, new = getattr(initial.vocabularies, side), getattr(vocabularies, side)
        if old is not None and new is not None and (old.tokens or new.tokens):
            kept = len({*old.tokens} & {*new.tokens})
            lines.append(
                f"{side} vocabulary: kept {kept:,} of {len(old.tokens):,} tokens,"
                f" {len(new.tokens) - kept:,} new"
            )
    return lines


def _extended(old: Vocabulary, new: Vocabulary) -> Vocabulary:
    known = {*old.tokens, *SPECIAL_TOKENS}
    added = [t for t in new.tokens if t not in known and not t.startswith("<unused-")]
    return Vocabulary([*old.tokens, *added])


def _kept_tokenizers(config: ConfigDict, initial: InitialRun) -> Tokenizers | None:
    """Return tokenizers with the subword models of a run; None if the sides differ."""
    subwords = SubwordConfig(**config.get("subwords", {}))
    for side in _SIDES:
        if file := getattr(subwords, f"{side}_model"):
            what = f"is {file}, but transfer.subwords is keep; leave it out, or use replace"
            raise UserError(f"subwords.{side}_model", what)
    return read_tokenizers(initial.workdir.path, word_tokenizers(config), subwords)


def _check_kept(config: ConfigDict, key: str, old: Vocabulary) -> None:
    given = read_vocabulary(config, key) if config.get(key) else None
    if given is not None and given != old:
        side = key.removeprefix("vocab_")
        what = f"is {config[key]}, but transfer.{side}_vocabulary is keep, and the vocabularies"
        raise UserError(key, f"{what} differ; leave it out, or use extend or replace")


def _check_shared(config: ConfigDict, side: str, old: Vocabulary, new: Vocabulary) -> None:
    least = config.transfer.min_shared_tokens
    shared = len({*old.tokens} & {*new.tokens})
    if new.tokens and shared < least * len(new.tokens):
        raise UserError(
            f"transfer.{side}_vocabulary",
            f"is replace, but only {shared} of {len(new.tokens)} tokens are known to the run, which"
            f" must be at least {least:.0%}; check the encoding and the delimiter, or lower"
            " transfer.min_shared_tokens",
        )
