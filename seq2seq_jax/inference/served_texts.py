"""A text model behind a service."""

from collections.abc import Iterator, Sequence
from typing import Any

from seq2seq_jax.inference.json_lines import prediction_values, score_values
from seq2seq_jax.inference.loading import LoadedModel
from seq2seq_jax.inference.predictions import Prediction
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.inference.served_model import (
    PredictOptions,
    Search,
    SearchCache,
    TextInput,
    describe_model,
)
from seq2seq_jax.reports.beam_tree import tree_values
from seq2seq_jax.utils.errors import UserError

SMALL_BATCH = 8
"""Batches of at most this size are not padded to `inference.batch_size`."""

PAGE_WIDTH = 5
"""The beam width that the page uses first if the model has none; it is compiled in advance."""


class ServedTexts:
    """A text model, or an ensemble; an instance of `ServedModel`."""

    input = "text"

    def __init__(self, models: Sequence[LoadedModel], predictor: Predictor) -> None:
        """Initialize a model.

        Args:
          models: The members.
          predictor: Their predictor, with the search that is used unless a request asks for
            another one.
        """
        self._about = describe_model(models, predictor.config)
        self._predictor = predictor
        self.batch_size = predictor.batch_size
        self._predictors = SearchCache(predictor)
        config = predictor.config
        self._max_source = config.source.max_seq_len
        self._max_target = max(
            config.source.max_seq_len,
            config.target.max_seq_len,
            predictor.inference.max_decode_length,
        )

    def describe(self) -> dict[str, Any]:
        """Return the model, its search and its limits."""
        vocabularies, inference = self._predictor.vocabularies, self._predictor.inference
        return {
            **self._about,
            "input": self.input,
            "has_attention": self._predictor.has_attention,
            "has_features": self._predictor.has_features,
            "has_beam": not inference.sampling.enable,
            "vocabulary_sizes": {
                name: vocabulary.size
                for name, vocabulary in vocabularies._asdict().items()
                if vocabulary is not None
            },
            "max_source_tokens": self._max_source - 1,
            "max_target_tokens": self._max_target,
            "batch_size": self.batch_size,
        }

    def warm_up(self, max_beam_width: int) -> Iterator[None]:
        """Compile the configured search for all shapes, and that of the page for one text.

        Args:
          max_beam_width: The page asks for no wider beam.
        """
        configured = max(1, self._predictor.inference.beam_search.beam_width)
        width = configured if configured > 1 else min(PAGE_WIDTH, max_beam_width)
        page = (("beam_width", width), ("n_best", min(width, 10)))
        for longest in range(7, self._max_source + 7, 8):  # One more width of a batch at a time.
            for predictor in self._sizes(()):
                predictor.warm_up(longest)
                yield
            if not self._predictor.inference.sampling.enable:
                self._predictors.get((*page, ("batch_size", 1))).warm_up(
                    longest,
                    return_attention=self._predictor.has_attention,
                    return_beam_trace=width > 1,
                )
                yield

    def check(self, inputs: Sequence[TextInput], options: PredictOptions) -> None:
        """Refuse texts that are too long, and what contradicts the model or other options.

        Args:
          inputs: Texts, with features if and only if the model reads them.
          options: What the request asks for.

        Raises:
          UserError: As above.
        """
        if options.attention and not self._predictor.has_attention:
            raise UserError("attention", "this model has none; use false")
        search = self._predictors.get(options.search)
        if options.beam and search.inference.sampling.enable:
            raise UserError("beam", "samples have no beam; use false")
        self._check_features(inputs)
        if not options.truncate:
            self._check_sources("texts", inputs)

    def predict(self, inputs: Sequence[TextInput], options: PredictOptions) -> list[dict[str, Any]]:
        """Predict texts.

        Args:
          inputs: The texts.
          options: What the requests ask for.

        Returns:
          The objects of `infer --json`, with `source_tokens` and, if requested, `beam`.
        """
        smallest, *others = self._sizes(options.search)
        fitting = (size for size in (smallest, *others) if len(inputs) <= size.batch_size)
        predictor = next(fitting, (smallest, *others)[-1])
        predictions = predictor.predict(
            [text for text, _ in inputs],
            features=self._features(inputs),
            return_attention=options.attention,
            return_beam_trace=options.beam,
        )
        return [self._values(prediction, options) for prediction in predictions]

    def score(
        self, pairs: Sequence[tuple[TextInput, str]], attention: bool
    ) -> list[dict[str, Any]]:
        """Score targets.

        Args:
          pairs: Source and target.
          attention: Return attention weights.

        Returns:
          The objects of `score --json`, with `source_tokens`.

        Raises:
          UserError: A text has too many tokens, or the model has no attention.
        """
        if attention and not self._predictor.has_attention:
            raise UserError("attention", "this model has none; use false")
        sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
        self._check_features(sources)
        self._check_sources("sources", sources)
        split = self._predictor.tokenizers.target.split
        _check_lengths("targets", [len(split(text)) for text in targets], self._max_target)
        scores = self._sizes(())[0].score(
            [text for text, _ in sources],
            targets,
            features=self._features(sources),
            return_attention=attention,
        )
        return [{**score_values(one), "source_tokens": one.source_tokens} for one in scores]

    def _features(self, inputs: Sequence[TextInput]) -> list[str] | None:
        if not self._predictor.has_features:
            return None
        return [features or "" for _, features in inputs]

    def _check_features(self, inputs: Sequence[TextInput]) -> None:
        given = any(features is not None for _, features in inputs)
        if given and not self._predictor.has_features:
            raise UserError("features", "this model reads none; leave them out")
        if self._predictor.has_features and not given:
            what = "this model reads features; use one text of features for each input"
            raise UserError("features", what)

    def _check_sources(self, name: str, inputs: Sequence[TextInput]) -> None:
        split = self._predictor.tokenizers.source.split
        lengths = [len(split(text)) for text, _ in inputs]
        remedy = ", or truncate=true" if name == "texts" else ""
        _check_lengths(name, lengths, self._max_source - 1, remedy)

    def _sizes(self, search: Search) -> list[Predictor]:
        """Return predictors with batches of increasing sizes."""
        if self.batch_size <= SMALL_BATCH:
            return [self._predictors.get(search)]
        small = self._predictors.get((*search, ("batch_size", SMALL_BATCH)))
        return [small, self._predictors.get(search)]

    def _values(self, prediction: Prediction, options: PredictOptions) -> dict[str, Any]:
        values = prediction_values(prediction, attention=options.attention)
        values["source_tokens"] = prediction.attended_tokens
        if options.beam:
            trace, target = prediction.beam_trace, self._predictor.vocabularies.target
            values["beam"] = trace and tree_values(
                tokens=[target.decode(step.tolist()) for step in trace.tokens],
                backpointers=trace.backpointers,
                log_probs=trace.log_probs,
                scores=trace.scores,
                beam_indices=trace.beam_indices.tolist(),
            )
        return values


def _check_lengths(name: str, lengths: Sequence[int], longest: int, remedy: str = "") -> None:
    for index, length in enumerate(lengths):
        if length > longest:
            what = f"has {length:,} tokens; this model reads at most {longest:,}"
            raise UserError(f"{name}[{index}]", f"{what}; use a shorter text{remedy}")
