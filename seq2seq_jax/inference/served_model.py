"""What a service asks of a model: values of JSON in, values of JSON out, one batch at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

import jax

from seq2seq_jax.inference.loading import LoadedModel
from seq2seq_jax.utils.errors import UserError

MAX_SEARCHES = 32
"""The number of predictors with different search options that are kept."""

Search = tuple[tuple[str, object], ...]
"""Keys of `inference` by their last names, with their values."""


class TextInput(NamedTuple):
    """An input of a text model.

    Attributes:
      text: The source.
      features: Its features, as in the data; None: the request has none.
    """

    text: str
    features: str | None = None


@dataclass(frozen=True)
class PredictOptions:
    """What a request asks for; requests with equal options share batches.

    Attributes:
      search: The search, where it differs from the configured one.
      attention: Return attention weights.
      beam: Return the beam as a tree.
      truncate: Truncate texts that are too long for the model instead of refusing them.
    """

    search: Search = ()
    attention: bool = False
    beam: bool = False
    truncate: bool = False


class ServedModel(Protocol):
    """A loaded model that answers batches of requests. Only one thread uses it.

    Attributes:
      input: "text" or "image".
      batch_size: The number of inputs that are answered most efficiently together.
    """

    input: str
    batch_size: int

    def describe(self) -> dict[str, Any]:
        """Return what clients and the page need to know about the model, for JSON."""

    def warm_up(self, max_beam_width: int) -> Iterator[None]:
        """Compile what most requests need, step by step.

        Args:
          max_beam_width: The page asks for no wider beam.
        """

    def check(self, inputs: Sequence[Any], options: PredictOptions) -> None:
        """Refuse inputs and options that the model cannot use.

        Args:
          inputs: Each a `TextInput`, or the bytes of an image.
          options: What the request asks for.

        Raises:
          UserError: An input or an option is wrong.
        """

    def predict(self, inputs: Sequence[Any], options: PredictOptions) -> list[dict[str, Any]]:
        """Answer inputs; each answer depends on its own input only.

        Args:
          inputs: Those that `check` has accepted.
          options: What the requests ask for.

        Returns:
          Values for JSON, one for each input, in the same order.

        Raises:
          UserError: An input cannot be used.
        """

    def score(
        self, pairs: Sequence[tuple[TextInput, str]], attention: bool
    ) -> list[dict[str, Any]]:
        """Score targets.

        Args:
          pairs: Source and target.
          attention: Return attention weights.

        Returns:
          Values for JSON, one for each pair, in the same order.

        Raises:
          UserError: A text is too long, or the model does not read texts.
        """


class Searcher(Protocol):
    """A predictor that can search in other ways with the same parameters."""

    def with_search_options(self, **options: object) -> Self:
        """Return the other predictor."""


_Predictor = TypeVar("_Predictor", bound=Searcher)


class SearchCache(Generic[_Predictor]):
    """The predictors with the search options that were used last."""

    def __init__(self, predictor: _Predictor) -> None:
        """Initialize a cache.

        Args:
          predictor: The predictor with the configured search.
        """
        self._configured = predictor
        self._others: dict[Search, _Predictor] = {}

    def get(self, search: Search) -> _Predictor:
        """Return the predictor with these options.

        Args:
          search: The options.

        Raises:
          UserError: An option is wrong; it has the name that it has in a request.
        """
        if not search:
            return self._configured
        predictor = self._others.pop(search, None)
        if predictor is None:
            try:
                predictor = self._configured.with_search_options(**dict(search))
            except UserError as error:
                raise UserError(f"options.{error.where.rpartition('.')[2]}", error.what) from error
        self._others[search] = predictor  # The dictionary is ordered by the last use.
        if len(self._others) > MAX_SEARCHES:
            del self._others[next(iter(self._others))]
        return predictor


def describe_model(models: Sequence[LoadedModel], config: Any) -> dict[str, Any]:
    """Return what models of all kinds have in common, for `ServedModel.describe`.

    Args:
      models: The members.
      config: The resolved configuration of the first.
    """
    parameters = sum(leaf.size for loaded in models for leaf in jax.tree.leaves(loaded.params))
    steps = ", ".join(loaded.description for loaded in models)
    beam = config.inference.beam_search
    search: Mapping[str, object] = {
        "beam_width": max(1, beam.beam_width),
        "n_best": config.inference.n_best,
        "length_penalty_weight": beam.length_penalty_weight,
        "max_decode_length": config.inference.max_decode_length,
        "sampling": config.inference.sampling.enable,
    }
    return {
        "description": f"{config.model}, {steps}, {parameters:,} parameters",
        "search": dict(search),
    }
