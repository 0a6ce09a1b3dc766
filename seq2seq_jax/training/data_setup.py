"""Everything that training needs, checked before anything is compiled or written."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from seq2seq_jax.captioning.data.image_batches import ImageTrainBatches
from seq2seq_jax.config import differences, resolve
from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.data.batches import TrainBatches
from seq2seq_jax.data.buckets import BatchRows, make_buckets
from seq2seq_jax.data.corpus import Corpus, count_ids, make_corpus
from seq2seq_jax.data.dev_set import DevSet, make_dev_set
from seq2seq_jax.data.readers.input_pipeline import TextPair, build_pipeline
from seq2seq_jax.data.report import format_data_report, report_line
from seq2seq_jax.data.subwords import SubwordConfig, make_tokenizers
from seq2seq_jax.data.tokenized_cache import TokenizedText, tokenize_pairs
from seq2seq_jax.data.tokenizers import Tokenizers
from seq2seq_jax.data.vocabulary import Vocabulary, vocabulary_from_counts
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.evaluation.dev_data import DevData, text_dev_data
from seq2seq_jax.models.build import Params
from seq2seq_jax.storage.workdir import Vocabularies, Workdir, word_tokenizers
from seq2seq_jax.training.vocab_bias import initial_vocab_bias
from seq2seq_jax.utils.cache_dir import cache_dir
from seq2seq_jax.utils.errors import UserError


class TrainingData(NamedTuple):
    """
    Attributes:
      num_shapes: of batches; each is compiled once.
      dev: None if nothing is to be evaluated.
      report: what the data are like, for people.
      collections: the model's variables that are no parameters, by collection.
      initial_params: makes those parameters that a run does not draw from the seed as it begins.
    """

    tokenizers: Tokenizers
    vocabularies: Vocabularies
    batches: TrainBatches | ImageTrainBatches
    num_shapes: int
    dev: DevData | None
    report: str
    collections: Mapping[str, Any] = MappingProxyType({})
    initial_params: Callable[[], Params] = dict


def check_same_configuration(workdir: Workdir, config: ConfigDict) -> None:
    """A run can only go on as it began. Keys that there were none of then had their defaults.

    Raises:
      UserError: the workdir's configuration differs in something that matters; names the keys.
    """
    if not workdir.config_file.exists():
        return
    different = differences(resolve(workdir.config()), config)
    if different:
        raise UserError(
            str(workdir.config_file),
            f"this run was started with another configuration; {', '.join(different)}"
            f" {'differs' if len(different) == 1 else 'differ'};"
            " the old values, or another --workdir, would do",
        )


def prepare_data(config: ConfigDict, workdir: Workdir, devices: Devices) -> TrainingData:
    """Reads the data, makes what vocabularies are missing, chooses the buckets, and reports.

    Raises:
      UserError: files that cannot be used, or batches that cannot be divided.
    """
    unit = devices.count * config.gradient_accumulation_steps
    if not config.batch_tokens:
        check_divides(config.batch_size, devices.count, config.gradient_accumulation_steps)
    tokenizers = workdir.tokenizers(config) or _make_tokenizers(config)
    text = prepare_pairs(config, "input_pipeline_train", tokenizers)
    vocabularies = workdir.vocabularies() or _make_vocabularies(config, text)
    corpus = _corpus(config, text, vocabularies, "input_pipeline_train")
    buckets = make_buckets(
        config.buckets,
        corpus.source.lengths,
        corpus.target.lengths,
        BatchRows(config.batch_size, config.batch_tokens, multiple_of=unit),
    )
    pipeline = config.input_pipeline_train.params
    batches = TrainBatches(
        corpus,
        buckets,
        seed=config.seed,
        shuffle=pipeline.shuffle,
        num_epochs=pipeline.num_epochs,
        shard=devices.share,
    )
    report = [
        report_line(
            "Vocabulary",
            f"{vocabularies.source.size:,} source and {vocabularies.target.size:,} target tokens"
            " (special tokens included)",
        ),
        format_data_report(corpus, buckets),
    ]
    dev = None
    if config.eval_every_n_steps:
        dev_set = load_dev_set(config, tokenizers, vocabularies)
        dev = make_dev_data(config, dev_set, devices)
        report.append(
            report_line(
                "Dev set",
                f"{len(dev_set.corpus):,} pairs with {len(dev_set):,} distinct sources",
            )
        )
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
    )


def load_dev_set(config: ConfigDict, tokenizers: Tokenizers, vocabularies: Vocabularies) -> DevSet:
    """The pairs of `input_pipeline_dev`.

    Raises:
      UserError: files that cannot be used.
    """
    text = prepare_pairs(config, "input_pipeline_dev", tokenizers)
    corpus = _corpus(config, text, vocabularies, "input_pipeline_dev")
    return make_dev_set(corpus, make_pipeline(config, "input_pipeline_dev"), tokenizers)


def make_dev_data(config: ConfigDict, dev_set: DevSet, devices: Devices) -> DevData:
    """The dev set in batches that divide by the devices."""
    batch_size = devices.whole(max(config.batch_size, config.inference.batch_size))
    return text_dev_data(dev_set, config.buckets, batch_size)


def check_divides(batch_size: int, devices: int, accumulation_steps: int) -> None:
    """Raises UserError at `batch_size` if its rows cannot be shared out equally."""
    unit = devices * accumulation_steps
    if batch_size % unit:
        parts = f"{devices} devices" + (
            f" times {accumulation_steps} gradient_accumulation_steps"
            if accumulation_steps > 1
            else ""
        )
        raise UserError(
            "batch_size",
            f"must divide by {parts}; got {batch_size}; {-(-batch_size // unit) * unit} would do",
        )


def prepare_pairs(config: ConfigDict, key: str, tokenizers: Tokenizers) -> TokenizedText:
    """The pairs of the pipeline at `key`, read and split, from the user's cache if possible.

    Raises:
      UserError: files that cannot be used.
    """
    pairs = make_pipeline(config, key)
    return tokenize_pairs(pairs, tokenizers, _content_digest(pairs), cache_dir("prepared"))


def make_pipeline(config: ConfigDict, key: str) -> Iterable[TextPair]:
    """The pairs of `input_pipeline_train` or `input_pipeline_dev`.

    Raises:
      UserError: files are missing.
    """
    entry: Mapping[str, Any] = config[key]
    pipeline = resolve_class("pipeline", entry["class"], f"{key}.class")
    return build_pipeline(pipeline, entry["params"], f"{key}.params")


def _make_tokenizers(config: ConfigDict) -> Tokenizers:
    return make_tokenizers(
        lambda: make_pipeline(config, "input_pipeline_train"),
        word_tokenizers(config),
        SubwordConfig(**config.subwords),
    )


def _corpus(
    config: ConfigDict, text: TokenizedText, vocabularies: Vocabularies, key: str
) -> Corpus:
    return make_corpus(
        text,
        *vocabularies,
        source_max_len=config.source.max_seq_len,
        target_max_len=config.target.max_seq_len,
        key=f"{key}.params",
    )


def _make_vocabularies(config: ConfigDict, text: TokenizedText) -> Vocabularies:
    """Reads those that the configuration names, and makes the others of the training data."""
    source = Vocabulary.read(config.vocab_source) if config.vocab_source else None
    target = Vocabulary.read(config.vocab_target) if config.vocab_target else None
    limits = config.vocab_min_frequency, config.vocab_max_size
    sides = [zip(side.tokens(), side.counts.tolist(), strict=True) for side in text[:2]]
    if config.embedding.share and not (source or target):
        counts: Counter[str] = Counter()
        for side in sides:
            counts.update(dict(side))
        joint = vocabulary_from_counts(counts.items(), *limits)
        return Vocabularies(joint, joint)
    return Vocabularies(
        source or vocabulary_from_counts(sides[0], *limits),
        target or vocabulary_from_counts(sides[1], *limits),
    )


def _content_digest(pairs: Iterable[TextPair]) -> str:
    if hasattr(pairs, "content_digest"):
        return pairs.content_digest()
    digest = hashlib.sha256()  # a pipeline of the user's own: what it yields is all that is known
    for pair in pairs:
        for text in pair:
            digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()
