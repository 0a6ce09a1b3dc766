"""A model on a dev set: log perplexity by teacher forcing, text metrics by free decoding."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizer
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.evaluation.metrics import LogPerplexityMetricSpec, needs_text, text_metrics
from seq2seq_jax.inference.scoring import make_score
from seq2seq_jax.models.batch_inputs import Batch, Collections
from seq2seq_jax.models.losses import loss_sums
from seq2seq_jax.problems.protocol import DevData, problem_of
from seq2seq_jax.schema.parameters import construct
from seq2seq_jax.search.decode_loop import per_example_seeds
from seq2seq_jax.search.decoding import make_decode
from seq2seq_jax.search.search_config import make_inference_config, make_search_config


class Sample(NamedTuple):
    """One source with what the model made of it."""

    source: str
    hypothesis: str
    references: list[str]


class Evaluation(NamedTuple):
    """Results by name, and the first few samples (none if no metric needs text)."""

    results: dict[str, float | str]
    samples: list[Sample]

    @property
    def numbers(self) -> dict[str, float]:
        """The results without those that are texts."""
        return {name: v for name, v in self.results.items() if not isinstance(v, str)}


class Evaluate(Protocol):
    """What `make_evaluate` returns."""

    def __call__(self, params: Any, collections: Collections = ...) -> Evaluation: ...


def make_evaluate(
    models: nn.Module | Sequence[nn.Module],
    config: ConfigDict,
    target_tokenizer: Tokenizer,
    target_vocabulary: Vocabulary,
    dev: DevData,
    devices: Devices,
    num_samples: int = 5,
) -> Evaluate:
    """A function from parameters, and what else the model has, to their results on the dev set; it
    compiles once a bucket.

    Args:
      models: one, or several that decide together; then the parameters are a sequence too.

    Text is decoded with the search of `inference.*`, and is compared as people read it: joined
    again if it was in pieces, then split by the target's delimiter. Each pair counts once, and each
    source is decoded once, however many references it has.
    """
    specs = make_metrics(config.metrics)
    inference = make_inference_config(config.inference)
    sums = _make_loss_sums(models, inference.ensemble_mean)
    decode = make_decode(models, target_vocabulary, make_search_config(inference))
    seeds = None
    if inference.sampling.enable:
        seeds = per_example_seeds(inference.sampling.seed, dev.names)
    first = models if isinstance(models, nn.Module) else models[0]
    precompute = problem_of(config).make_precompute(first)
    readable = DelimiterTokenizer(config.input_pipeline_dev.params.target_delimiter)
    references = [[readable.split(text) for text in texts] for texts in dev.references]

    def evaluate(params: Any, collections: Collections = MappingProxyType({})) -> Evaluation:
        results: dict[str, float | str] = {}
        for spec in specs:
            if isinstance(spec, LogPerplexityMetricSpec):
                results.update(spec(*total_loss(params, collections)))
        if not any(map(needs_text, specs)):
            return Evaluation(results, [])
        hypotheses = decode_all(params, collections)
        results.update(text_metrics(specs, list(map(readable.split, hypotheses)), references))
        return Evaluation(results, samples_of(hypotheses))

    def total_loss(params: Any, collections: Collections) -> tuple[float, float]:
        batches = (
            precompute(params, collections, devices.shard_global_batch(batch))
            for batch in dev.pairs()
        )
        totals = devices.to_host([sums(params, batch) for batch in batches])
        return sum(float(loss) for loss, _ in totals), sum(int(tokens) for _, tokens in totals)

    def decode_all(params: Any, collections: Collections) -> list[str]:
        hypotheses = [""] * len(dev.names)
        for batch, indices in dev.sources():
            if seeds is not None:
                batch["seeds"] = seeds[indices]
            spread = precompute(params, collections, devices.shard_global_batch(batch))
            result = decode(params, *first.encoder_inputs(spread), seeds=spread.get("seeds"))
            ids, lengths = devices.to_host((result.ids[:, 0], result.lengths[:, 0]))
            for index, row, length in zip(indices, ids, lengths, strict=True):
                if index >= 0:
                    tokens = target_vocabulary.decode(row[:length])
                    hypotheses[index] = target_tokenizer.join(tokens)
        return hypotheses

    def samples_of(hypotheses: list[str]) -> list[Sample]:
        chosen = zip(dev.names, hypotheses, dev.references, strict=True)
        return [Sample(*sample) for sample in islice(chosen, num_samples)]

    return evaluate


def make_metrics(entries: Mapping[str, Any]) -> list[Any]:
    """Instantiate the metrics of a resolved configuration.

    Args:
      entries: The group `metrics` of the configuration.

    Raises:
      UserError: A class cannot be imported.
    """
    return [
        construct(
            resolve_class("metric", entry["class"], f"metrics.{label}.class"),
            entry["params"],
            resolve_class,
            f"metrics.{label}.params",
        )
        for label, entry in entries.items()
    ]


def describe_samples(samples: list[Sample]) -> str:
    """Samples as text, to print or to store."""
    lines = []
    for sample in samples:
        lines.append(f"  source      {sample.source}")
        lines.append(f"  hypothesis  {sample.hypothesis}")
        lines += [f"  reference   {reference}" for reference in sample.references]
        lines.append("")
    return "\n".join(lines[:-1])


def _make_loss_sums(
    models: nn.Module | Sequence[nn.Module], ensemble_mean: str
) -> Callable[[Any, Batch], tuple[jax.Array, jax.Array]]:
    """As `losses.loss_sums`, of all models together."""
    if isinstance(models, nn.Module):
        model = models
        return jax.jit(lambda params, batch: loss_sums(model, params, batch))
    score = make_score(models, ensemble_mean=ensemble_mean)

    @jax.jit
    def sums(params: Any, batch: Batch) -> tuple[jax.Array, jax.Array]:
        scores = score(
            params, *models[0].encoder_inputs(batch), batch["target_ids"], batch["target_len"]
        )
        return -jnp.sum(scores.log_probs), jnp.sum(jnp.maximum(batch["target_len"] - 1, 0))

    return sums
