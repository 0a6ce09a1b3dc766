"""Input pipelines: what they yield, and the parameters that all of them have.

A pipeline is a class that yields pairs of a source and a target text, from the beginning each time
that somebody iterates over it. The keywords of its constructor are its parameters in
`input_pipeline_*.params`. A user-defined pipeline can be as short as

    class Squares:
        def __init__(self, limit: int = 100):
            self.limit = limit

        def __iter__(self):
            return ((str(i), str(i * i)) for i in range(self.limit))

A pipeline of examples with features yields (source, target, features); `to_example` reads both.

Two additions are optional. A constructor that has a keyword `key` receives the dotted name of the
pipeline's parameters, for error messages. A method `content_digest()` identifies the data, so that
the tokenized-corpus cache finds them without reading them again.
"""

import dataclasses
import glob
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, NamedTuple, TypeAlias, TypeVar

from seq2seq_jax.schema.keys import Table
from seq2seq_jax.schema.parameters import collect_parameters
from seq2seq_jax.schema.rules import NON_EMPTY, at_least, between, split_names
from seq2seq_jax.utils.errors import UserError

Pipeline = TypeVar("Pipeline")


class TextPair(NamedTuple):
    """A source and its target, each a line of text."""

    source: str
    target: str


class TextExample(NamedTuple):
    """A pair and what belongs to it; its first two items are those of a `TextPair`.

    Attributes:
      source: A line of text.
      target: A line of text.
      features: The features of the target, as in "V;PST"; empty: there are none.
    """

    source: str
    target: str
    features: str = ""


Example: TypeAlias = TextPair | TextExample
"""What pipelines yield."""


def to_example(item: Iterable[str]) -> TextExample:
    """Return an item of a pipeline with all its fields.

    Args:
      item: A source, a target and optionally features, as pipelines yield them.

    Example:
      >>> to_example(("walk", "walked", "V;PST")).features
      'V;PST'
    """
    return TextExample(*item)


@dataclasses.dataclass(frozen=True)
class InputPipelineConfig:
    """The parameters that every pipeline has in addition to those of its constructor.

    The program uses them itself and does not pass them to the constructor.

    Attributes:
      target_delimiter: Separates target tokens; empty: they are characters.
      shuffle: Draw a new order of all examples for every epoch.
      num_epochs: Epochs of training; 0: train_steps decides.
    """

    target_delimiter: str = " "
    shuffle: bool = True
    num_epochs: Annotated[int, at_least(0)] = 0


@dataclasses.dataclass(frozen=True)
class TextInputPipelineConfig(InputPipelineConfig):
    """The common parameters of pipelines whose sources are texts.

    Attributes:
      source_delimiter: Separates source tokens; empty: they are characters.
      features_delimiter: Separates features.
      language_temperature: How evenly an epoch draws from languages: a language with a share p of
        the pairs has a share proportional to p ** (1 / temperature). 1: every pair occurs once.
    """

    source_delimiter: str = " "
    features_delimiter: Annotated[str, NON_EMPTY] = ";"
    language_temperature: Annotated[float, between(1, 1000)] = 1.0


def pipeline_parameters(pipeline: Callable[..., object]) -> Table:
    """Return the parameters of a pipeline: those of its constructor and the common ones.

    Args:
      pipeline: A class. Its attribute `common_parameters` can name the dataclass of the common
        parameters; without it they are those of `TextInputPipelineConfig`.

    Returns:
      A table as `collect_parameters` returns it.
    """
    own = collect_parameters(pipeline, supplied=("key",))
    return {**own, **collect_parameters(_common_parameters(pipeline))}


def build_pipeline(
    pipeline: Callable[..., Pipeline], params: Mapping[str, object], key: str
) -> Pipeline:
    """Construct a pipeline from the resolved values of its parameters.

    Args:
      pipeline: A class, as in `pipeline_parameters`.
      params: A value for each parameter, the common ones included.
      key: The dotted name of `params`, such as `input_pipeline_train.params`, for errors.

    Returns:
      The pipeline.

    Raises:
      UserError: The pipeline cannot use these values.
    """
    common = {field.name for field in dataclasses.fields(_common_parameters(pipeline))}
    keywords = {name: value for name, value in params.items() if name not in common}
    if "key" in inspect.signature(pipeline).parameters:
        keywords["key"] = key
    return pipeline(**keywords)


def split_file_names(names: str) -> list[str]:
    r"""Return the file names of a list separated by commas, with `~` and wildcards expanded.

    Args:
      names: The list; blanks around names and empty names do not count. `\,` is a comma in a name.
        `*`, `?` and `[...]` match any files, `**` any directories. A file that has such a name
        itself is that file.

    Returns:
      The names in their order; those that a pattern matches are sorted.

    Raises:
      UserError: No file matches a pattern.

    Example:
      >>> split_file_names("train.de, extra.de.gz")
      ['train.de', 'extra.de.gz']
    """
    return [file for name in split_names(names) for file in _matches(os.path.expanduser(name))]


def _matches(name: str) -> list[str]:
    if not any(wildcard in name for wildcard in "*?[") or os.path.exists(name):
        return [name]
    found = sorted(glob.glob(name, recursive=True))
    if not found:
        raise UserError(name, "matches no file; use the name of a file or another pattern")
    return found


def _common_parameters(pipeline: Callable[..., object]) -> type[InputPipelineConfig]:
    common: type[InputPipelineConfig] = getattr(
        pipeline, "common_parameters", TextInputPipelineConfig
    )
    return common
