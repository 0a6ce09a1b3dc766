"""A model on a dev set: log perplexity by teacher forcing, text metrics by free decoding."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import PyTree
from ml_collections import ConfigDict

from seq2seq_jax.config.metric_results import make_metrics
from seq2seq_jax.data.grouping import MACRO
from seq2seq_jax.data.tokenizers import Tokenizers
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.evaluation.grouped_results import (
    GroupedResults,
    SourceLosses,
    flat_results,
    grouped_results,
)
from seq2seq_jax.evaluation.metrics import LogPerplexityMetricSpec, needs_text, text_metrics
from seq2seq_jax.inference.allowed_outputs import load_allowed_outputs
from seq2seq_jax.inference.encoded_texts import seed_texts
from seq2seq_jax.inference.lexicon import Lexicon
from seq2seq_jax.inference.scoring import make_score
from seq2seq_jax.models.batch_inputs import Batch, NonTrainable
from seq2seq_jax.models.losses import loss_sums
from seq2seq_jax.ops.kernels import use_kernels
from seq2seq_jax.problems.protocol import DevData, problem_of
from seq2seq_jax.search.decode_loop import per_example_seeds
from seq2seq_jax.search.decoding import make_decode
from seq2seq_jax.search.search_config import make_inference_config, make_search_config
from seq2seq_jax.storage.workdir import word_tokenizers

Models = nn.Module | Sequence[nn.Module]
"""One model, or the members of an ensemble."""


class Sample(NamedTuple):
    """A source of the dev set with the model's output.

    Attributes:
      source: The source text, with its features if it has any; or the name of an image.
      hypothesis: The output.
      references: The target texts.
    """

    source: str
    hypothesis: str
    references: list[str]


class Evaluation(NamedTuple):
    """The results of an evaluation.

    Attributes:
      results: Numbers and texts by name; macro averages as `language/macro/bleu`.
      samples: The first few samples; empty if no metric needs text.
      groups: The results of the groups of each grouping by its name, such as "language".
    """

    results: dict[str, float | str]
    samples: list[Sample]
    groups: Mapping[str, GroupedResults] = MappingProxyType({})

    @property
    def numbers(self) -> dict[str, float]:
        """The results without the texts."""
        return {name: v for name, v in self.results.items() if not isinstance(v, str)}

    @property
    def group_numbers(self) -> dict[str, float]:
        """The results of all groups, under names such as `language/de/bleu`."""
        flat = (flat_results(name, grouped) for name, grouped in self.groups.items())
        return {key: value for results in flat for key, value in results.items()}

    def to_dict(self) -> dict[str, object]:
        """Return the results, without samples, as values that can be written as JSON."""
        groups = {name: grouped.to_dict() for name, grouped in self.groups.items()}
        return {**self.results, **groups}


class DevEvaluator:
    """Evaluates parameters of a model, or of an ensemble, on a dev set.

    Text is decoded with the search of `inference.*`. Hypotheses and references are compared as
    people read them: subwords are joined, and the text is split by the target's delimiter. Both are
    lower-cased and normalized as the model's targets are. Each pair counts once, and each source is
    decoded once, however many references it has. The lexicon answers known sources, as in
    inference; log perplexity is that of the model alone.
    """

    def __init__(
        self,
        models: Models,
        config: ConfigDict,
        tokenizers: Tokenizers,
        vocabulary: Vocabulary,
        dev: DevData,
        devices: Devices,
        num_samples: int | None = 5,
    ) -> None:
        """Prepare an evaluation; the model is compiled once per bucket when it is first used.

        Args:
          models: One model, or the members of an ensemble.
          config: A resolved configuration, with its metrics and its search.
          tokenizers: The tokenizers of both sides.
          vocabulary: The target vocabulary.
          dev: The dev set.
          devices: The devices over which batches are distributed.
          num_samples: Number of samples to return; None: all.

        Raises:
          UserError: A metric class cannot be imported, or the file of a lexicon or of allowed
            outputs cannot be used.
        """
        inference = make_inference_config(config.inference)
        self._tokenizer, self._vocabulary = tokenizers.target, vocabulary
        self._dev, self._devices, self._num_samples = dev, devices, num_samples
        self._metrics = make_metrics(config.metrics)
        self._first = models if isinstance(models, nn.Module) else models[0]
        self._precompute = problem_of(config).make_precompute(self._first)
        self._loss_sums = _make_loss_sums(models, inference.ensemble_mean, config.kernels)
        self._row_losses = _make_row_losses(models, inference.ensemble_mean, config.kernels)
        self._decode = make_decode(
            models, vocabulary, make_search_config(inference), kernels=config.kernels
        )
        trie = load_allowed_outputs(inference, tokenizers.target, vocabulary)
        self._trie = devices.replicate(trie)
        lexicon = Lexicon(inference.lexicon, tokenizers)
        self._known = lexicon.answers(dev.names, dev.features, trie=trie, vocabulary=vocabulary)
        self._seeds = (
            per_example_seeds(inference.sampling.seed, seed_texts(dev.names, dev.features))
            if inference.sampling.enable
            else None
        )
        delimiter = config.input_pipeline_dev.params.target_delimiter
        words = replace(word_tokenizers(config).target, delimiter=delimiter)
        self._split = words.split_to_compare

    def __call__(
        self, params: PyTree, non_trainable: NonTrainable = MappingProxyType({})
    ) -> Evaluation:
        """Evaluate parameters.

        Args:
          params: The parameters of the model, or a sequence of those of an ensemble.
          non_trainable: The non-trainable variables of the first model by collection.

        Returns:
          The results of all metrics, and samples.
        """
        results: dict[str, float | str] = {}
        losses: SourceLosses | None = None
        for metric in self._metrics:
            if isinstance(metric, LogPerplexityMetricSpec):
                if self._dev.groupings:
                    losses = losses or self._source_losses(params, non_trainable)
                    total = float(losses.loss.sum()), float(losses.tokens.sum())
                else:
                    total = self._total_loss(params, non_trainable)
                results.update(metric(*total))
        hypotheses, outputs, references, samples = [], [], [], []
        if any(map(needs_text, self._metrics)):
            hypotheses = self._decode_all(params, non_trainable)
            outputs = list(map(self._split, hypotheses))
            references = [[self._split(text) for text in texts] for texts in self._dev.references]
            results |= text_metrics(self._metrics, outputs, references)
            names = self._dev.names
            if self._dev.features:
                both = zip(names, self._dev.features, strict=True)
                names = [f"{name} {features}" for name, features in both]
            rows = zip(names, hypotheses, self._dev.references, strict=True)
            samples = [Sample(*row) for row in islice(rows, self._num_samples)]
        groups = {
            grouping.name: grouped_results(self._metrics, grouping, outputs, references, losses)
            for grouping in self._dev.groupings
        }
        for name, grouped in groups.items():
            results |= {f"{name}/{MACRO}/{key}": value for key, value in grouped.macro.items()}
        return Evaluation(results, samples, groups)

    def _total_loss(self, params: PyTree, non_trainable: NonTrainable) -> tuple[float, float]:
        """Return the summed loss of all pairs and their number of target tokens."""
        totals = self._devices.to_host(
            [
                self._loss_sums(params, self._prepare(params, non_trainable, batch))
                for batch, _ in self._dev.pairs()
            ]
        )
        return sum(float(loss) for loss, _ in totals), sum(int(tokens) for _, tokens in totals)

    def _source_losses(self, params: PyTree, non_trainable: NonTrainable) -> SourceLosses:
        """Return the loss of each source, summed over its pairs."""
        losses = SourceLosses(*np.zeros((2, len(self._dev.names))))
        for batch, indices in self._dev.pairs():
            sharded = self._prepare(params, non_trainable, batch)
            loss, tokens = self._devices.to_host(self._row_losses(params, sharded))
            real = indices >= 0
            np.add.at(losses.loss, indices[real], loss[real])
            np.add.at(losses.tokens, indices[real], tokens[real])
        return losses

    def _decode_all(self, params: PyTree, non_trainable: NonTrainable) -> list[str]:
        """Return the output for each source."""
        hypotheses = [""] * len(self._dev.names)
        for batch, indices in self._dev.sources():
            seeds = {} if self._seeds is None else {"seeds": self._seeds[indices]}
            sharded = self._prepare(params, non_trainable, {**batch, **seeds})
            result = self._decode(
                params,
                *self._first.encoder_inputs(sharded),
                seeds=sharded.get("seeds"),
                trie=self._trie,
            )
            ids, lengths = self._devices.to_host((result.ids[:, 0], result.lengths[:, 0]))
            for index, tokens in self._tokens(indices, ids, lengths):
                hypotheses[index] = self._tokenizer.join(tokens)
        for index, found in self._known.items():
            hypotheses[index] = found[0].text
        return hypotheses

    def _prepare(self, params: PyTree, non_trainable: NonTrainable, batch: Batch) -> Batch:
        return self._precompute(params, non_trainable, self._devices.shard_global_batch(batch))

    def _tokens(
        self, indices: np.ndarray, ids: np.ndarray, lengths: np.ndarray
    ) -> Iterator[tuple[int, list[str]]]:
        """Yield the index and the tokens of each row that is no padding."""
        for index, row, length in zip(indices, ids, lengths, strict=True):
            if index >= 0:
                yield index, self._vocabulary.decode(row[:length])


def describe_samples(samples: Sequence[Sample]) -> str:
    """Return samples as text, to print or to store.

    Args:
      samples: The samples.

    Example:
      >>> print(describe_samples([Sample("a b", "b", ["b a"])]))
        source      a b
        hypothesis  b
        reference   b a
    """
    lines = []
    for sample in samples:
        lines.append(f"  source      {sample.source}")
        lines.append(f"  hypothesis  {sample.hypothesis}")
        lines += [f"  reference   {reference}" for reference in sample.references]
        lines.append("")
    return "\n".join(lines[:-1])


def _make_loss_sums(
    models: Models, ensemble_mean: str, kernels: str
) -> Callable[[PyTree, Batch], tuple[jax.Array, jax.Array]]:
    """Return a compiled `losses.loss_sums` of one model or of an ensemble."""
    if isinstance(models, nn.Module):
        model = models

        @jax.jit
        def model_sums(params: PyTree, batch: Batch) -> tuple[jax.Array, jax.Array]:
            with use_kernels(kernels):
                return loss_sums(model, params, batch)

        return model_sums
    row_losses = _make_row_losses(models, ensemble_mean, kernels)

    @jax.jit
    def ensemble_sums(params: PyTree, batch: Batch) -> tuple[jax.Array, jax.Array]:
        loss, tokens = row_losses(params, batch)
        return jnp.sum(loss), jnp.sum(tokens)

    return ensemble_sums


def _make_row_losses(
    models: Models, ensemble_mean: str, kernels: str
) -> Callable[[PyTree, Batch], tuple[jax.Array, jax.Array]]:
    """Return a compiled function: the loss and the number of target tokens of each row, [B]."""
    score = make_score(models, ensemble_mean=ensemble_mean, kernels=kernels)
    first = models if isinstance(models, nn.Module) else models[0]

    @jax.jit
    def row_losses(params: PyTree, batch: Batch) -> tuple[jax.Array, jax.Array]:
        source, source_len = first.encoder_inputs(batch)
        scores = score(params, source, source_len, batch["target_ids"], batch["target_len"])
        return -scores.log_probs, jnp.maximum(batch["target_len"] - 1, 0)

    return row_losses
