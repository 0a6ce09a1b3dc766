"""The examples of a dev set of texts, and groupings of its sources."""

from collections.abc import Iterator

from ml_collections import ConfigDict

from seq2seq_jax.data.breakdowns import (
    BREAKDOWNS,
    group_by_feature,
    group_by_length,
    group_by_overlap,
)
from seq2seq_jax.data.dev_set import DevSet
from seq2seq_jax.data.features import FeaturesTokenizer
from seq2seq_jax.data.grouping import Grouping
from seq2seq_jax.data.languages import split_tag
from seq2seq_jax.data.readers.input_pipeline import TextExample, to_example
from seq2seq_jax.data.tokenizers import Tokenizers
from seq2seq_jax.problems.setup import make_pipeline
from seq2seq_jax.schema.names import describe_unknown
from seq2seq_jax.utils.errors import UserError


def dev_examples(
    config: ConfigDict, dev_set: DevSet, tokenizers: Tokenizers
) -> Iterator[tuple[TextExample, int]]:
    """Yield all examples of the dev set in the order of the data.

    Args:
      config: A resolved configuration.
      dev_set: Its dev set.
      tokenizers: The tokenizers of the dev set.

    Yields:
      An example and the index of its source; -1 if it has no source or no target.
    """
    row = 0
    for example in map(to_example, make_pipeline(config, "input_pipeline_dev")):
        kept = tokenizers.source.split(example.source) and tokenizers.target.split(example.target)
        yield example, int(dev_set.source_of[row]) if kept else -1
        row += bool(kept)


def make_grouping(
    name: str, config: ConfigDict, dev_set: DevSet, tokenizers: Tokenizers
) -> Grouping:
    """Group the sources of a dev set.

    Args:
      name: One of `BREAKDOWNS`.
      config: A resolved configuration.
      dev_set: Its dev set.
      tokenizers: The tokenizers of the dev set.

    Raises:
      UserError: There is no such grouping, the dev set has no features to group by, or the training
        data cannot be read.
    """
    if name not in BREAKDOWNS:
        raise UserError("--by", describe_unknown("grouping", name, BREAKDOWNS))
    split = tokenizers.source.split
    if name == "length":
        return group_by_length([len(split(text)) for text in dev_set.sources])
    delimiter = config.input_pipeline_dev.params.get("features_delimiter", ";")
    symbols = (tokenizers.features or FeaturesTokenizer(delimiter)).split
    features = dev_set.features
    if name == "feature":
        if not features:
            what = "is feature, but the dev set has no features; use --by=overlap,length"
            raise UserError("--by", what)
        return group_by_feature(list(map(symbols, features)))
    train = list(map(to_example, make_pipeline(config, "input_pipeline_train")))
    train_sources = {tuple(split(example.source)) for example in train}
    sources = [tuple(split(text)) for text in dev_set.sources]
    if not features:
        return group_by_overlap(sources, train_sources)

    def in_language(source: str, text: str) -> tuple[str, tuple[str, ...]]:
        return split_tag(source)[0], tuple(symbols(text))

    return group_by_overlap(
        sources,
        train_sources,
        [in_language(*pair) for pair in zip(dev_set.sources, features, strict=True)],
        {in_language(example.source, example.features) for example in train},
    )
