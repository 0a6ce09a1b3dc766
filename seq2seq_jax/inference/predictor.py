"""A loaded model: texts in, predictions out."""

import dataclasses
import itertools
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeVar

import jax
import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.config import Trust, resolve, trusted_names
from seq2seq_jax.data.batches import Batch
from seq2seq_jax.data.sampler import length_sorted_batches, padded_length
from seq2seq_jax.data.tokenizers import Tokenizer, has_unique_tokens
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.inference.allowed_outputs import allowed_outputs_key, load_allowed_outputs
from seq2seq_jax.inference.compiled_functions import CompiledFunctions
from seq2seq_jax.inference.encoded_texts import TextEncoder, seed_texts
from seq2seq_jax.inference.example_constraints import ExampleConstraints, encode_constraints
from seq2seq_jax.inference.lexicon import LEXICON, Lexicon
from seq2seq_jax.inference.loading import LoadedModel, load_ensemble
from seq2seq_jax.inference.predictions import (
    Prediction,
    TargetScore,
    merge_equal_texts,
    to_prediction,
)
from seq2seq_jax.inference.scoring import Score, make_score, pair_batches
from seq2seq_jax.inference.search_overrides import override_search
from seq2seq_jax.inference.text_lists import (
    to_feature_texts,
    to_optional_texts,
    to_texts,
    to_token_lists,
)
from seq2seq_jax.search.decode_loop import per_example_seeds
from seq2seq_jax.search.decoding import Decode, make_decode
from seq2seq_jax.search.output_trie import OutputTrie
from seq2seq_jax.search.search_config import (
    InferenceConfig,
    SearchConfig,
    make_inference_config,
    make_search_config,
)
from seq2seq_jax.search.types import SearchResult
from seq2seq_jax.storage.workdir import Workdir

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Predictor:
    """A model, or an ensemble, with its vocabularies and tokenizers.

    The prediction for a text depends on that text alone, not on the other texts nor on their order.
    Any number of threads may use a predictor at the same time. Each padded shape is compiled when
    it is first needed, or by `warm_up`. There are few shapes: one row or a full batch, of the
    widths that `padded_length` returns.

    Attributes:
      config: The resolved configuration of the (first) model, with the search that is used.
      inference: The keys `inference.*` of `config`.
      allowed_outputs: The outputs of `inference.allowed_outputs`; None: all are allowed.
      vocabularies: Source and target vocabulary.
      tokenizers: Source and target tokenizer.
      has_attention: Whether a model has attention.
      has_features: Whether the models read features.
      params: The parameters of each model, on all devices.
      batch_size: Number of rows of a full batch, a multiple of the number of devices.

    Example:
      predictor = Predictor.from_workdir("runs/g2p", beam_width=5, n_best=3)
      for hypothesis in predictor.predict(["transformer"])[0].n_best:
          print(hypothesis.score, hypothesis.text)
    """

    def __init__(self, models: Sequence[LoadedModel], config: ConfigDict) -> None:
        """Initialize a predictor from loaded models.

        Args:
          models: One or several, with the same vocabularies and tokenizers.
          config: The resolved configuration of the first: how to search.

        Raises:
          UserError: A function that `config` names cannot be imported.
        """
        self.vocabularies, self.tokenizers = models[0].vocabularies, models[0].tokenizers
        self.has_attention = any(loaded.has_attention for loaded in models)
        self.has_features = self.tokenizers.features is not None
        self._attends_features = any(
            getattr(loaded.model, "attends_features", False) for loaded in models
        )
        self._models = [loaded.model for loaded in models]
        self._devices = Devices(config.parallel)
        self.params = self._devices.replicate([loaded.params for loaded in models])
        self._compiled = CompiledFunctions()
        self._encoder = TextEncoder(
            self.tokenizers,
            self.vocabularies,
            config.source.max_seq_len,
            config.get("features", {}).get("max_seq_len", 0),
        )
        self._set_config(config)

    @classmethod
    def from_workdir(
        cls,
        workdir: str,
        overrides: Sequence[tuple[str, str]] = (),
        trust_custom_code: Trust = False,
        **options: object,
    ) -> "Predictor":
        """Load the best checkpoint of a working directory.

        The keys `inference.checkpoint`, `inference.average_checkpoints` and `inference.ensemble`
        select other parameters.

        Args:
          workdir: The working directory of a training run.
          overrides: Pairs (dotted key, text) as on the command line, such as
            ("inference.beam_search.beam_width", "5").
          trust_custom_code: Whether the workdir may name classes from outside of this package,
            whose code then runs; or the names of those that it may name.
          **options: Keys of `inference` by their last names: `beam_width=5, n_best=5`;
            `sampling=True` is `inference.sampling.enable`.

        Returns:
          The predictor.

        Raises:
          UserError: There is no trained model, or an override or an option is wrong.
        """
        opened = Workdir(workdir, trust_custom_code or trusted_names(overrides))
        config = resolve(override_search(resolve(opened.config()), options), overrides)
        return cls(load_ensemble(opened, config), config)

    def with_search_options(self, **options: object) -> "Predictor":
        """Return a predictor that shares the parameters in memory but searches differently.

        Args:
          **options: As for `from_workdir`; those that select parameters have no effect.

        Returns:
          The other predictor.

        Raises:
          UserError: An option is wrong.
        """
        other = object.__new__(Predictor)
        other.__dict__.update(self.__dict__)
        other._set_config(resolve(override_search(self.config, options)))
        return other

    def predict(
        self,
        texts: Iterable[str],
        *,
        features: Iterable[str | Collection[str]] | None = None,
        languages: str | Iterable[str | None] | None = None,
        prefixes: Iterable[str | None] | None = None,
        allowed_tokens: Iterable[Collection[str] | None] | None = None,
        return_attention: bool = False,
        return_beam_trace: bool = False,
    ) -> list[Prediction]:
        """Predict the outputs for some texts; more texts at once take less time each.

        Args:
          texts: The sources, as people write them, in any ordered collection: a list, a generator,
            a NumPy array, a pandas Series.
          features: The features of each, for a model that `has_features`: a text as in the data
            ("V;PST"), or a collection of features.
          languages: For a multilingual model, the language of all texts, or of each; None: each
            text begins with the tag of its language, as in "<dut> aanbod".
          prefixes: How each output has to begin; None or "": anyhow.
          allowed_tokens: The tokens that each output may use; None: all.
          return_attention: Return attention weights; needs a model that `has_attention`.
          return_beam_trace: Return how the beam search proceeded; needs a search.

        Returns:
          A prediction for each text, in the same order.

        Raises:
          TypeError: An argument is a text instead of a list, or an item of it is no text.
          ValueError: The lists have different lengths, or what is requested does not exist.
          UserError: A prefix or an allowed token is not in the vocabulary, or the model does not
            know the language of a text.
        """
        texts = self._encoder.with_tags(to_texts("texts", texts), languages)
        feature_texts = self._feature_texts(features)
        beginnings = to_optional_texts("prefixes", prefixes)
        allowed = to_token_lists("allowed_tokens", allowed_tokens)
        _check_lengths(texts, features=feature_texts, prefixes=beginnings, allowed_tokens=allowed)
        search = self._compile_search(return_attention, return_beam_trace)
        encoded = self._encoder.sources(texts, feature_texts)
        known = self._lexicon.answers(
            texts,
            feature_texts or (),
            beginnings,
            allowed,
            self.allowed_outputs,
            self.vocabularies.target,
        )
        non_empty = np.setdiff1d(encoded.non_empty, list(known))
        batch_size = 1 if len(non_empty) == 1 else self.batch_size
        constraints = self._encode_constraints(
            seed_texts(texts, feature_texts), beginnings, allowed
        )

        def start_batches() -> Iterator[tuple[np.ndarray, SearchResult]]:
            for places, width in length_sorted_batches(encoded.ids.lengths[non_empty], batch_size):
                indices = non_empty[places]
                sources = encoded.arrays(indices, width, batch_size)
                constrained = constraints.arrays(indices, batch_size)
                with self._compiled.announce("the search", batch_size, width):
                    result = self._start_search(search, sources, constrained)
                yield indices, result

        predictions = [
            Prediction(text, [], [], features=feature_texts[index] if feature_texts else None)
            for index, text in enumerate(texts)
        ]
        for indices, result in _one_ahead(start_batches()):
            result = self._devices.to_host(result)
            for row, index in enumerate(indices):
                empty = dataclasses.replace(
                    predictions[index],
                    source_tokens=encoded.tokens[index],
                    feature_tokens=encoded.feature_names[index] if encoded.feature_names else (),
                    attends_features=self._attends_features,
                )
                predictions[index] = to_prediction(
                    empty, result, row, self.vocabularies.target, self.tokenizers.target
                )
        return list(map(self._merge_texts, self._lexicon.merge(known, predictions)))

    def score(
        self,
        sources: Iterable[str],
        targets: Iterable[str],
        *,
        features: Iterable[str | Collection[str]] | None = None,
        languages: str | Iterable[str | None] | None = None,
        return_attention: bool = False,
    ) -> list[TargetScore]:
        """Compute the log-probability of each target given its source.

        Args:
          sources: The sources, as for `predict`.
          targets: A target for each; it is scored completely, however long it is.
          features: The features of each source, as for `predict`.
          languages: As for `predict`.
          return_attention: Return attention weights; needs a model that `has_attention`.

        Returns:
          A score for each pair, in the same order.

        Raises:
          TypeError: An argument is a text instead of a list, or an item of it is no text.
          ValueError: The lists have different lengths, or the model has no attention.
          UserError: The model does not know the language of a source.
        """
        sources = self._encoder.with_tags(to_texts("sources", sources), languages)
        targets = to_texts("targets", targets)
        feature_texts = self._feature_texts(features)
        _check_lengths(sources, targets=targets, features=feature_texts)
        encoded = self._encoder.sources(sources, feature_texts)
        encoded_targets = self._encoder.targets(targets)
        score = self._compile_score(return_attention)
        batch_size = 1 if len(sources) == 1 else self.batch_size
        results: dict[int, TargetScore] = {}
        for batch, indices in pair_batches(encoded.ids, encoded_targets, batch_size):
            batch |= encoded.feature_arrays(indices, batch_size)
            columns, target_len = batch["source_len"].copy(), batch["target_len"]
            if self._attends_features:
                columns += batch["features_len"]
            with self._compiled.announce("the scores", *batch["source_ids"].shape):
                sharded = self._devices.shard_global_batch(batch)
                source, source_len = self._models[0].encoder_inputs(sharded)
                targets_of_batch = sharded["target_ids"], sharded["target_len"]
                result = score(self.params, source, source_len, *targets_of_batch)
            scores = self._devices.to_host(result)
            for row, index in enumerate(indices):
                length = target_len[row] - 1
                weights = None
                if return_attention:
                    weights = scores.attention[row, :length, : columns[row]].copy()
                results[index] = TargetScore(
                    source=sources[index],
                    target=targets[index],
                    source_tokens=encoded.tokens[index],
                    tokens=self.vocabularies.target.decode(
                        batch["target_ids"][row, 1 : length + 1].tolist()
                    ),
                    token_log_probs=scores.token_log_probs[row, :length].copy(),
                    attention=weights,
                    features=feature_texts[index] if feature_texts is not None else None,
                )
        return [results[index] for index in range(len(sources))]

    def warm_up(
        self,
        longest: int | None = None,
        *,
        return_attention: bool = False,
        return_beam_trace: bool = False,
    ) -> None:
        """Compile what `predict` needs without prefixes and allowed tokens.

        Programs that are in the compilation cache are only read.

        Args:
          longest: Number of tokens of the longest source to expect; None: `source.max_seq_len`.
          return_attention: As it will be passed to `predict`.
          return_beam_trace: As it will be passed to `predict`.
        """
        search = self._compile_search(return_attention, return_beam_trace)
        max_len = self.config.source.max_seq_len
        longest = max_len if longest is None else min(longest + 1, max_len)
        for rows in sorted({1, self.batch_size}):
            for width in sorted({padded_length(length) for length in range(1, longest + 1)}):
                nothing = self._encoder.sources([], [] if self.has_features else None)
                none = np.zeros(0, int)
                sources = nothing.arrays(none, width, rows)
                constraints = self._encode_constraints([]).arrays(none, rows)
                with self._compiled.announce("the search", rows, width):
                    result = self._start_search(search, sources, constraints)
                jax.block_until_ready(result)

    def _set_config(self, config: ConfigDict) -> None:
        self.config = config
        lexicon = config.inference.lexicon
        self._lexicon = self._compiled.get(
            ("lexicon", lexicon), lambda: Lexicon(lexicon, self.tokenizers)
        )
        self.inference = make_inference_config(config.inference)
        self._search_config = needed_hypotheses(self.inference, self.tokenizers.target)
        self.batch_size = self._devices.round_up(self.inference.batch_size)
        # The file is read again only if another option decides which outputs can be found.
        self.allowed_outputs, self._trie = self._compiled.get(
            allowed_outputs_key(self.inference), self._load_allowed_outputs
        )

    def _load_allowed_outputs(self) -> tuple[OutputTrie | None, OutputTrie | None]:
        """Return the allowed outputs on the host and on the devices."""
        trie = load_allowed_outputs(
            self.inference, self.tokenizers.target, self.vocabularies.target
        )
        return trie, self._devices.replicate(trie)

    def _start_search(self, search: Decode, sources: Batch, constraints: Batch) -> SearchResult:
        sharded = self._devices.shard_global_batch({**sources, **constraints})
        return search(
            self.params,
            *self._models[0].encoder_inputs({name: sharded[name] for name in sources}),
            **{name: sharded[name] for name in constraints},
            trie=self._trie,
        )

    def _feature_texts(self, features: Iterable[str | Collection[str]] | None) -> list[str] | None:
        """Return the features as texts; they must be there if and only if the models read them."""
        if features is not None and not self.has_features:
            raise ValueError("features are given, but the model reads none; leave them out.")
        tokenizer = self.tokenizers.features
        if tokenizer is None:
            return None
        if features is None:
            raise ValueError("the model reads features; use features=[...], one for each text.")
        return to_feature_texts("features", features, tokenizer)

    def _merge_texts(self, prediction: Prediction) -> Prediction:
        """Leave the n best hypotheses with different texts; samples stay as they were drawn."""
        if self.inference.sampling.enable and prediction.origin != LEXICON:
            return prediction
        n_best = merge_equal_texts(prediction.n_best)[: self.inference.n_best]
        return dataclasses.replace(prediction, n_best=n_best)

    def _compile_search(self, return_attention: bool, return_beam_trace: bool) -> Decode:
        self._check_attention(return_attention)
        if return_beam_trace and self.inference.sampling.enable:
            raise ValueError("return_beam_trace needs a search; sampling has no beam.")
        config = dataclasses.replace(
            self._search_config,
            return_attention=return_attention,
            return_beam_trace=return_beam_trace,
        )
        return self._compiled.get(
            config,
            lambda: make_decode(
                self._models, self.vocabularies.target, config, kernels=self.config.kernels
            ),
        )

    def _compile_score(self, return_attention: bool) -> Score:
        self._check_attention(return_attention)
        mean, kernels = self.inference.ensemble_mean, self.config.kernels
        return self._compiled.get(
            ("score", return_attention, mean),
            lambda: make_score(
                self._models,
                ensemble_mean=mean,
                return_attention=return_attention,
                kernels=kernels,
            ),
        )

    def _check_attention(self, return_attention: bool) -> None:
        if return_attention and not self.has_attention:
            raise ValueError(
                f"return_attention needs a model with attention; {self.config.model} has none."
            )

    def _encode_constraints(
        self,
        texts: Sequence[str],
        prefixes: Sequence[str | None] | None = None,
        allowed_tokens: Sequence[Collection[str] | None] | None = None,
    ) -> ExampleConstraints:
        sampling = self.inference.sampling
        return encode_constraints(
            self.vocabularies.target,
            self.tokenizers.target,
            seeds=per_example_seeds(sampling.seed, texts) if sampling.enable else None,
            prefixes=prefixes,
            allowed_tokens=allowed_tokens,
            max_length=self.inference.max_decode_length,
            trie=self.allowed_outputs,
        )


def needed_hypotheses(inference: InferenceConfig, target: Tokenizer) -> SearchConfig:
    """Derive the options of the compiled search, which finds enough hypotheses for `n_best` texts.

    Args:
      inference: The keys `inference.*`.
      target: The target tokenizer.

    Returns:
      The options. If several segmentations have one text, as with subwords, n_best is beam_width.
    """
    search = make_search_config(inference)
    is_beam = not inference.sampling.enable and inference.n_best > 1
    if is_beam and not has_unique_tokens(target):
        search = dataclasses.replace(search, n_best=search.beam_width)
    return search


def _one_ahead(items: Iterator[_T]) -> Iterator[_T]:
    """Yield each item after the next one has been started: the devices work while the host does."""
    for item, _ in itertools.pairwise(itertools.chain(items, [None])):
        assert item is not None
        yield item


def _check_lengths(texts: Sequence[str], **others: Sequence[object] | None) -> None:
    """Raise an error if the lengths differ."""
    for name, other in others.items():
        if other is not None and len(other) != len(texts):
            raise ValueError(
                f"{name} must have an item for each text; got {len(other)} for {len(texts)} texts."
            )
