"""A model on a dev set: log perplexity by teacher forcing, text metrics by free decoding."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from seq2seq_jax.class_lookup import find_class
from seq2seq_jax.data.batches import dev_batches, source_batches
from seq2seq_jax.data.buckets import make_buckets
from seq2seq_jax.data.dev_set import DevSet
from seq2seq_jax.data.postprocessing import find_postprocessing
from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizer
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.evaluation import metrics as metric_classes
from seq2seq_jax.evaluation.metrics import LogPerplexityMetricSpec, needs_text, text_metrics
from seq2seq_jax.inference.decoding import make_decode
from seq2seq_jax.models.losses import loss_sums


class Sample(NamedTuple):
    """One source with what the model made of it."""

    source: str
    hypothesis: str
    references: list[str]


class Evaluation(NamedTuple):
    """Results by name, and the first few samples (none if no metric needs text)."""

    results: dict[str, float | str]
    samples: list[Sample]


def make_evaluate(
    model: nn.Module,
    config: ConfigDict,
    target_tokenizer: Tokenizer,
    target_vocabulary: Vocabulary,
    dev_set: DevSet,
    num_samples: int = 5,
) -> Callable[[Any], Evaluation]:
    """A function from parameters to their results on the dev set; it compiles once a bucket.

    Text is decoded with the search of `inference.*`, and is compared as people read it: joined
    again if it was in pieces, then split by the target's delimiter. Each pair counts once, and each
    source is decoded once, however many references it has.
    """
    batch_size = max(config.batch_size, config.inference.batch_size)
    buckets = make_buckets(
        config.buckets,
        dev_set.corpus.source.lengths,
        dev_set.corpus.target.lengths,
        batch_size=batch_size,
    )
    specs = [_make_metric(label, entry) for label, entry in config.metrics.items()]
    sums = jax.jit(lambda params, batch: loss_sums(model, params, batch))
    decode = make_decode(
        model,
        target_vocabulary,
        beam_width=config.inference.beam_search.beam_width,
        length_penalty_weight=config.inference.beam_search.length_penalty_weight,
        max_length=config.inference.max_decode_length,
    )
    readable = DelimiterTokenizer(config.input_pipeline_dev.params.target_delimiter)
    references = [[readable.split(text) for text in texts] for texts in dev_set.references]

    def evaluate(params: Any) -> Evaluation:
        results: dict[str, float | str] = {}
        for spec in specs:
            if isinstance(spec, LogPerplexityMetricSpec):
                results.update(spec(*total_loss(params)))
        if not any(map(needs_text, specs)):
            return Evaluation(results, [])
        hypotheses = decode_all(params)
        results.update(text_metrics(specs, list(map(readable.split, hypotheses)), references))
        return Evaluation(results, samples_of(hypotheses))

    def total_loss(params: Any) -> tuple[float, float]:
        totals = [
            sums(params, batch) for batch, _ in dev_batches(dev_set.corpus, buckets)
        ]
        return sum(float(loss) for loss, _ in totals), sum(int(tokens) for _, tokens in totals)

    def decode_all(params: Any) -> list[str]:
        hypotheses = [""] * len(dev_set)
        widths = sorted({width for width, _ in buckets.shapes})
        for batch, indices in source_batches(
            dev_set.corpus.source, widths, batch_size, dev_set.rows
        ):
            result = decode(params, batch["source_ids"], batch["source_len"])
            ids, lengths = np.asarray(result.ids[:, 0]), np.asarray(result.lengths[:, 0])
            for index, row, length in zip(indices, ids, lengths, strict=True):
                if index >= 0:
                    tokens = target_vocabulary.decode(row[:length])
                    hypotheses[index] = target_tokenizer.join(tokens)
        return hypotheses

    def samples_of(hypotheses: list[str]) -> list[Sample]:
        chosen = zip(dev_set.sources, hypotheses, dev_set.references, strict=True)
        return [Sample(*sample) for sample in islice(chosen, num_samples)]

    return evaluate


def describe_samples(samples: list[Sample]) -> str:
    """Samples as text, to print or to store."""
    lines = []
    for sample in samples:
        lines.append(f"  source      {sample.source}")
        lines.append(f"  hypothesis  {sample.hypothesis}")
        lines += [f"  reference   {reference}" for reference in sample.references]
        lines.append("")
    return "\n".join(lines[:-1])


def _make_metric(label: str, entry: Mapping[str, Any]) -> Any:
    params = dict(entry["params"])
    key = f"metrics.{label}"
    if "postproc_fn" in params:
        name = params["postproc_fn"]
        params["postproc_fn"] = (
            find_postprocessing(name, f"{key}.params.postproc_fn") if name else None
        )
    return find_class(metric_classes, f"{key}.class", entry["class"])(**params)
