"""The outputs of several runs on their common dev set."""

import reprlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from ml_collections import ConfigDict

from seq2seq_jax.config import Trust, resolve
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.evaluation.run_evaluation import evaluate
from seq2seq_jax.storage.workdir import Workdir, word_tokenizers
from seq2seq_jax.utils.errors import UserError


class RunOutputs(NamedTuple):
    """The outputs of runs on the same dev set.

    Attributes:
      outputs: Directory of a run -> its outputs.
      references: The references of each source.
      by_character: Whether the targets are split into characters.
    """

    outputs: dict[str, list[str]]
    references: list[list[str]]
    by_character: bool


def decode_dev_sets(paths: Sequence[str], overrides: Overrides, trust: Trust = False) -> RunOutputs:
    """Decode the dev set of each run with its best checkpoint.

    Args:
      paths: The directories of the runs, at least two.
      overrides: Overrides of the configurations of all runs.
      trust: Which custom classes the runs may name.

    Raises:
      UserError: A directory holds no trained run or is repeated, or two runs have different dev
        sets.
    """
    if len(paths) < 2 or len(set(paths)) < len(paths):
        raise UserError("--compare", f"needs two different runs or more; got {' '.join(paths)}")
    outputs: dict[str, list[str]] = {}
    items: list[tuple[str, list[str]]] = []
    references: list[list[str]] = []
    delimiter = ""
    for path in paths:
        overriding = [*overrides, ("metrics", "ErrorRateMetricSpec")]
        config = resolve(Workdir(path, trust).config(), overriding)
        delimiter = config.input_pipeline_dev.params.target_delimiter
        found = evaluate(path, config, num_samples=None, trust_custom_code=trust).evaluation
        own = [(sample.source, sample.references) for sample in found.samples]
        items = items or own
        _check_equal(path, own, paths[0], items)
        as_compared = _comparable(config)
        outputs[path] = [as_compared(sample.hypothesis) for sample in found.samples]
        references = references or [[as_compared(text) for text in texts] for _, texts in items]
    return RunOutputs(outputs, references, by_character=not delimiter)


def _check_equal(
    path: str,
    own: list[tuple[str, list[str]]],
    first_path: str,
    first: list[tuple[str, list[str]]],
) -> None:
    if own == first:
        return
    if len(own) != len(first):
        differs = f"{len(own):,} sources instead of {len(first):,}"
    else:
        number, (mine, other) = next(
            (i, pair) for i, pair in enumerate(zip(own, first, strict=True), start=1)
            if pair[0] != pair[1]
        )  # fmt: skip
        differs = f"source {number} is {reprlib.repr(mine)} instead of {reprlib.repr(other)}"
    what = f"has another dev set than {first_path}: {differs}"
    raise UserError(path, f"{what}; give both with --config.input_pipeline_dev.params.KEY=VALUE")


def _comparable(config: ConfigDict) -> Callable[[str], str]:
    """Return a function that normalizes texts as the metrics do, with spaces between tokens."""
    delimiter = config.input_pipeline_dev.params.target_delimiter
    split = replace(word_tokenizers(config).target, delimiter=delimiter).split_to_compare
    return lambda text: (" " if delimiter else "").join(split(text))
