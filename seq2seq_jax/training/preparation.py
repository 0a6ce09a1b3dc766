"""Everything that training needs, checked before anything is compiled or written."""

from collections.abc import Iterator
from typing import NamedTuple

from ml_collections import ConfigDict

from seq2seq_jax.config import differences
from seq2seq_jax.data.buckets import Buckets, make_buckets
from seq2seq_jax.data.corpus import Corpus, build_corpus
from seq2seq_jax.data.dev_set import DevSet, build_dev_set
from seq2seq_jax.data.parallel_text import Pair, read_pairs
from seq2seq_jax.data.report import data_report
from seq2seq_jax.data.vocabulary import Vocabulary, build_vocabularies
from seq2seq_jax.errors import UserError
from seq2seq_jax.workdir import Vocabularies, Workdir


class TrainingData(NamedTuple):
    vocabularies: Vocabularies
    corpus: Corpus
    buckets: Buckets
    dev_set: DevSet | None
    report: str


def check_same_configuration(workdir: Workdir, config: ConfigDict) -> None:
    """A run can only go on as it began.

    Raises:
      UserError: the workdir's configuration differs in something that matters; names the keys.
    """
    if not workdir.config_file.exists():
        return
    different = differences(workdir.config(), config)
    if different:
        raise UserError(
            str(workdir.config_file),
            f"this run was started with another configuration; {', '.join(different)}"
            f" {'differs' if len(different) == 1 else 'differ'};"
            " the old values, or another --workdir, would do",
        )


def prepare_data(config: ConfigDict, workdir: Workdir) -> TrainingData:
    """Reads the data, makes what vocabularies are missing, chooses the buckets, and reports.

    Raises:
      UserError: files that cannot be used.
    """
    vocabularies = workdir.vocabularies() or _make_vocabularies(config)
    corpus = build_corpus(
        _train_pairs(config),
        *vocabularies,
        source_max_len=config.source.max_seq_len,
        target_max_len=config.target.max_seq_len,
    )
    buckets = make_buckets(
        config.buckets,
        corpus.source.lengths,
        corpus.target.lengths,
        batch_size=config.batch_size,
    )
    dev_set = load_dev_set(config, vocabularies) if config.eval_every_n_steps else None
    report = [
        f"vocabulary {vocabularies.source.size:,} source and {vocabularies.target.size:,} target"
        " tokens, special ones included",
        data_report(corpus, buckets, config.batch_size),
    ]
    if dev_set is not None:
        report.append(f"dev set  {len(dev_set.corpus):,} pairs of {len(dev_set):,} sources")
    return TrainingData(vocabularies, corpus, buckets, dev_set, "\n".join(report))


def load_dev_set(config: ConfigDict, vocabularies: Vocabularies) -> DevSet:
    """The pairs of `input_pipeline_dev`.

    Raises:
      UserError: files that cannot be used.
    """
    pairs = read_pairs(
        config.input_pipeline_dev.params,
        lowercase=config.source.lowercase,
        key="input_pipeline_dev.params",
    )
    return build_dev_set(
        pairs,
        *vocabularies,
        source_max_len=config.source.max_seq_len,
        target_max_len=config.target.max_seq_len,
    )


def _train_pairs(config: ConfigDict) -> Iterator[Pair]:
    return read_pairs(config.input_pipeline_train.params, lowercase=config.source.lowercase)


def _make_vocabularies(config: ConfigDict) -> Vocabularies:
    """Reads those that the configuration names, and builds the others from the training data."""
    source = Vocabulary.read(config.vocab_source) if config.vocab_source else None
    target = Vocabulary.read(config.vocab_target) if config.vocab_target else None
    if source and target:
        return Vocabularies(source, target)
    built = Vocabularies(
        *build_vocabularies(
            _train_pairs(config),
            config.vocab_min_frequency,
            config.vocab_max_size,
            shared=config.embedding.share and not (source or target),
        )
    )
    return Vocabularies(source or built.source, target or built.target)
