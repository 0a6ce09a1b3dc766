"""Training and dev data of text problems: from input pipelines to batches."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable

import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.config.feature_rules import check_features
from seq2seq_jax.config.languages import is_multilingual
from seq2seq_jax.data.augmentation import AugmentationConfig, AugmentedPairs
from seq2seq_jax.data.batches import TrainBatches, dev_batches, source_batches
from seq2seq_jax.data.buckets import BatchRows, make_buckets
from seq2seq_jax.data.corpus import Corpus, count_ids, make_corpus
from seq2seq_jax.data.coverage import normal_form_warning, oov_warning
from seq2seq_jax.data.dev_set import DevSet, make_dev_set
from seq2seq_jax.data.languages import (
    TaggedTokenizer,
    check_tag,
    check_vocabulary_has_tags,
    group_by_language,
)
from seq2seq_jax.data.readers.input_pipeline import Example
from seq2seq_jax.data.report import (
    format_counts,
    format_languages,
    report_line,
)
from seq2seq_jax.data.subwords import SubwordConfig, make_tokenizers
from seq2seq_jax.data.tokenized_cache import TokenizedText, tokenize_pairs
from seq2seq_jax.data.tokenizers import Tokenizers
from seq2seq_jax.data.vocabulary import Vocabulary, vocabulary_from_counts
from seq2seq_jax.data.vocabulary_check import check_vocabulary_file
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.problems.corpora import make_mixture
from seq2seq_jax.problems.dev_breakdowns import dev_examples, make_grouping
from seq2seq_jax.problems.initial_run import (
    initial_tokenizers,
    initial_vocabularies,
    open_initial_run,
)
from seq2seq_jax.problems.protocol import DevData, TrainingData
from seq2seq_jax.problems.setup import (
    check_batch_size,
    initial_vocab_bias,
    make_pipeline,
    read_vocabulary,
    require_tokens,
)
from seq2seq_jax.problems.text_report import describe_training_data
from seq2seq_jax.storage.workdir import (
    Vocabularies,
    Workdir,
    features_tokenizer,
    word_tokenizers,
)
from seq2seq_jax.utils.cache_dir import cache_dir
from seq2seq_jax.utils.errors import UserError, quantity

_log = logging.getLogger(__name__)


def prepare_text_training(config: ConfigDict, workdir: Workdir, devices: Devices) -> TrainingData:
    """Implement `Problem.prepare_training` for texts: tokenize, number, and divide into buckets."""
    if not config.batch_tokens:
        check_batch_size(config.batch_size, devices.count, config.gradient_accumulation_steps)
    initial = open_initial_run(config, workdir)
    tokenizers = workdir.tokenizers(config) or initial_tokenizers(
        config, initial, lambda: _make_tokenizers(config)
    )
    text = tokenize_pipeline(config, "input_pipeline_train", tokenizers)
    vocabularies = workdir.vocabularies() or initial_vocabularies(
        config, initial, lambda: _make_vocabularies(config, text, tokenizers)
    )
    corpus = _corpus(config, text, vocabularies, "input_pipeline_train")
    pairs = make_pipeline(config, "input_pipeline_train")
    _warn_of_oov("training set", corpus, pairs, tokenizers, vocabularies)
    buckets = make_buckets(
        config.buckets,
        corpus.source.lengths,
        corpus.target.lengths,
        BatchRows(
            config.batch_size,
            config.batch_tokens,
            multiple_of=devices.count * config.gradient_accumulation_steps,
        ),
    )
    pipeline = config.input_pipeline_train.params
    languages, tags = None, list[str]()
    if is_multilingual(config):
        languages, tags = text.source.rows.first_ids(), list(text.source.tokens())
        found = sorted(tags[number] for number in np.unique(languages))
        check_vocabulary_has_tags(vocabularies.source, found)
    mixture = make_mixture(config, len(text), lambda pipeline: _tokenized(pipeline, tokenizers))
    batches = TrainBatches(
        corpus,
        buckets,
        seed=config.seed,
        shuffle=pipeline.shuffle,
        num_epochs=pipeline.num_epochs,
        shard=devices.shard,
        groups=languages,
        temperature=pipeline.get("language_temperature", 1.0),
        mixture=mixture,
    )
    report = describe_training_data(config, vocabularies, corpus, buckets)
    if mixture:
        report.append(mixture.report())
    if languages is not None:
        report.append(format_languages(tags, languages, pipeline.language_temperature))
    dev = None
    if config.eval_every_n_steps:
        dev_set = load_dev_set(config, tokenizers, vocabularies)
        dev = make_dev_data(config, dev_set, tokenizers, devices)
        report.append(dev.report)
    return TrainingData(
        tokenizers,
        vocabularies,
        batches,
        len(buckets),
        dev,
        "\n".join(report),
        initial_params=lambda: initial_vocab_bias(
            config, lambda: count_ids(text.target, vocabularies.target)
        ),
        initial_run=initial,
    )


def load_dev_set(config: ConfigDict, tokenizers: Tokenizers, vocabularies: Vocabularies) -> DevSet:
    """Read the pairs of `input_pipeline_dev`.

    Args:
      config: A resolved configuration.
      tokenizers: Those of the run.
      vocabularies: Those of the run.

    Raises:
      UserError: A file cannot be used.
    """
    key = "input_pipeline_dev"
    check_features(config, key)
    text = tokenize_pipeline(config, key, tokenizers)
    corpus = _corpus(config, text, vocabularies, key)
    pairs = make_pipeline(config, key)
    _warn_of_oov("dev set", corpus, pairs, tokenizers, vocabularies)
    for i, side in enumerate(text[:2]):
        where, vocabulary = f"the {vocabularies._fields[i]}s of the dev set", vocabularies[:2][i]
        if warning := normal_form_warning(where, side.tokens(), vocabulary):
            _log.warning("%s", warning)
    dev_set = make_dev_set(corpus, pairs, tokenizers)
    if isinstance(tokenizers.source, TaggedTokenizer):
        for source in dev_set.sources:
            check_tag(source, vocabularies.source, f"{key}.params")
    return dev_set


def make_dev_data(
    config: ConfigDict, dev_set: DevSet, tokenizers: Tokenizers, devices: Devices
) -> DevData:
    """Divide a dev set into batches that are divisible by the devices."""
    batch_size = devices.round_up(max(config.batch_size, config.inference.batch_size))
    corpus = dev_set.corpus
    buckets = make_buckets(
        config.buckets, corpus.source.lengths, corpus.target.lengths, BatchRows(batch_size)
    )
    sources = quantity(len(dev_set), "distinct source")
    description = f"{quantity(len(corpus), 'pair')} with {sources}"
    groupings = [group_by_language(dev_set.sources)] if is_multilingual(config) else []
    return DevData(
        pairs=lambda: (
            (batch, np.where(rows < 0, -1, dev_set.source_of[rows]))
            for batch, rows in dev_batches(corpus, buckets)
        ),
        sources=lambda: source_batches(corpus.source, batch_size, dev_set.rows, corpus.features),
        names=dev_set.sources,
        references=dev_set.references,
        description=description,
        report=f"{report_line('Dev set', description)}\n{format_counts(corpus.counts)}",
        groupings=groupings,
        make_grouping=lambda name: make_grouping(name, config, dev_set, tokenizers),
        examples=lambda: dev_examples(config, dev_set, tokenizers),
        features=dev_set.features,
    )


def tokenize_pipeline(config: ConfigDict, key: str, tokenizers: Tokenizers) -> TokenizedText:
    """Read and tokenize the pairs of an input pipeline, or find them in the user's cache.

    The training data include the artificial pairs of `augmentation`.

    Args:
      config: A resolved configuration.
      key: "input_pipeline_train" or "input_pipeline_dev".
      tokenizers: Split the sources and the targets.

    Raises:
      UserError: A file cannot be used.
    """
    pairs = make_pipeline(config, key)
    augmentation = AugmentationConfig(**config.get("augmentation", {}))
    if key == "input_pipeline_train" and augmentation.adds_pairs:
        words = word_tokenizers(config)
        digest = _content_digest(pairs)
        pairs = AugmentedPairs(pairs, augmentation, words.source, words.target, digest)
    return _tokenized(pairs, tokenizers)


def _tokenized(pairs: Iterable[Example], tokenizers: Tokenizers) -> TokenizedText:
    return tokenize_pairs(pairs, tokenizers, _content_digest(pairs), cache_dir("prepared"))


def _make_tokenizers(config: ConfigDict) -> Tokenizers:
    tokenizers = make_tokenizers(
        lambda: make_pipeline(config, "input_pipeline_train"),
        word_tokenizers(config),
        SubwordConfig(**config.subwords),
    )
    return tokenizers._replace(features=features_tokenizer(config))


def _corpus(
    config: ConfigDict, text: TokenizedText, vocabularies: Vocabularies, key: str
) -> Corpus:
    return make_corpus(
        text,
        *vocabularies,
        source_max_len=config.source.max_seq_len,
        target_max_len=config.target.max_seq_len,
        features_max_len=config.get("features", {}).get("max_seq_len", 0),
        key=f"{key}.params",
    )


def _warn_of_oov(
    where: str,
    corpus: Corpus,
    pairs: Iterable[Example],
    tokenizers: Tokenizers,
    vocabularies: Vocabularies,
) -> None:
    """Log a warning for each side of which most tokens are out of vocabulary."""
    rates = corpus.counts.source_oov_rate, corpus.counts.target_oov_rate
    for i, side in enumerate(("source", "target")):
        warning = oov_warning(
            f"{side} tokens of the {where}",
            rates[i],
            (pair[i] for pair in pairs),
            tokenizers[:2][i],
            vocabularies[:2][i],
            vocabularies[:2][1 - i],
        )
        if warning:
            _log.warning("%s", warning)


def _make_vocabularies(
    config: ConfigDict, text: TokenizedText, tokenizers: Tokenizers
) -> Vocabularies:
    """Read the vocabularies that the configuration names, and build the others from the data."""
    files = config.vocab_source, config.vocab_target
    source, target = (read_vocabulary(config, key) for key in ("vocab_source", "vocab_target"))
    for file, vocabulary in zip(files, (source, target), strict=True):
        if vocabulary is not None:
            users = [each for each, used in zip(tokenizers[:2], files, strict=True) if used == file]
            check_vocabulary_file(vocabulary, file, users)
    features = _features_vocabulary(config, text)
    limits = config.vocab_min_frequency, config.vocab_max_size
    sides = [zip(side.tokens(), side.counts.tolist(), strict=True) for side in text[:2]]
    if config.embedding.share and not (source or target):
        counts: Counter[str] = Counter()
        for side in sides:
            counts.update(dict(side))
        joint = require_tokens(vocabulary_from_counts(counts.items(), *limits), config)
        joint = joint.padded(config.vocab_size_multiple)
        return Vocabularies(joint, joint, features)
    source = source or require_tokens(vocabulary_from_counts(sides[0], *limits), config)
    target = target or require_tokens(vocabulary_from_counts(sides[1], *limits), config)
    multiple = config.vocab_size_multiple
    return Vocabularies(source.padded(multiple), target.padded(multiple), features)


def _features_vocabulary(config: ConfigDict, text: TokenizedText) -> Vocabulary | None:
    """Read or build the vocabulary of features; None if the model reads none."""
    if text.features is None:
        return None
    vocabulary = read_vocabulary(config, "vocab_features")
    if vocabulary is None:
        counts = zip(text.features.tokens(), text.features.counts.tolist(), strict=True)
        vocabulary = vocabulary_from_counts(counts)
    if not vocabulary.tokens:
        raise UserError(
            "input_pipeline_train.params",
            f"have no features, but features.combine is {config.features.combine}; use"
            " features.combine=none",
        )
    return vocabulary.padded(config.vocab_size_multiple)


def _content_digest(pairs: Iterable[Example]) -> str:
    if hasattr(pairs, "content_digest"):
        return str(pairs.content_digest())
    digest = hashlib.sha256()  # A user-defined pipeline is known by what it yields.
    for pair in pairs:
        for text in pair:
            digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()
