"""A loaded model: texts in, texts out."""

import logging
import threading
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.config import resolve
from seq2seq_jax.data.batches import Batch, source_batches
from seq2seq_jax.data.corpus import encode_source, encode_target
from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.data.sampler import length_sorted_batches, padded_length
from seq2seq_jax.data.vocabulary import SEQUENCE_END
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.inference.hypotheses import to_hypotheses
from seq2seq_jax.inference.loading import LoadedModel, load_ensemble
from seq2seq_jax.inference.prediction import Prediction, SearchHistory, TargetScore
from seq2seq_jax.inference.scoring import make_score
from seq2seq_jax.inference.search_overrides import with_options
from seq2seq_jax.search.decoding import make_decode
from seq2seq_jax.search.example_constraints import constraint_arrays
from seq2seq_jax.search.result import SearchResult
from seq2seq_jax.search.sampling import per_example_seeds
from seq2seq_jax.search.search_config import search_options
from seq2seq_jax.storage.workdir import Workdir

__all__ = ["Predictor", "text_seeds"]

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Predictor:
    """A model, or several that decide together, with vocabularies and tokenizers.

        predictor = Predictor.from_workdir("runs/g2p", beam_width=5, n_best=3)
        for hypothesis in predictor.predict(["transformer"])[0].n_best:
            print(hypothesis.score, hypothesis.text)

    What it answers to a text depends on that text alone: not on those beside it, nor on their
    order. Any number of threads may use it at once. Each padded shape is compiled when it first
    comes, or by `warm_up`; there are few: one row or a full batch, of the widths that
    `batches.padded_length` gives.
    """

    def __init__(self, models: Sequence[LoadedModel], config: ConfigDict):
        """
        Args:
          models: with the same vocabularies and tokenizers.
          config: resolved, of the first: how to search.

        Raises:
          UserError: a function that `config` names cannot be imported.
        """
        self.vocabularies, self.tokenizers = models[0].vocabularies, models[0].tokenizers
        self.has_attention = any(loaded.has_attention for loaded in models)
        self._models = [loaded.model for loaded in models]
        self._devices = Devices(config.parallel)
        self._params = self._devices.replicate([loaded.params for loaded in models])
        self._functions: dict[Any, Any] = {}
        self._lock = threading.Lock()
        self._search_as(config)

    @classmethod
    def from_workdir(
        cls, workdir: str, overrides: Sequence[tuple[str, str]] = (), **options: Any
    ) -> "Predictor":
        """Loads the best checkpoint of a workdir, or what `inference.checkpoint`,
        `inference.average_checkpoints` and `inference.ensemble` say.

        Args:
          overrides: (dotted key, text) as on the command line, such as
            ("inference.beam_search.beam_width", "5").
          options: the keys of `inference` by their last names: `beam_width=5, n_best=5`;
            `sampling=True` is `inference.sampling.enable`.

        Raises:
          UserError: nothing was trained there, or an override or an option is wrong.
        """
        opened = Workdir(workdir)
        config = resolve(with_options(resolve(opened.config()), options), overrides)
        return cls(load_ensemble(opened, config), config)

    def searching(self, **options: Any) -> "Predictor":
        """Another predictor with the same parameters, in the same memory, that searches otherwise.

        Args:
          options: as of `from_workdir`; those that say what to load have no effect.

        Raises:
          UserError: an option is wrong.
        """
        other = object.__new__(Predictor)
        other.__dict__.update(self.__dict__)
        other._search_as(resolve(with_options(self.config, options)))
        return other

    def predict(
        self,
        texts: Sequence[str],
        *,
        prefixes: Sequence[str | None] | None = None,
        allowed: Sequence[Collection[str] | None] | None = None,
        attention: bool = False,
        history: bool = False,
    ) -> list[Prediction]:
        """Decodes each text, in the order given; an empty text gives an empty prediction.

        Args:
          texts: the more at once, the less is padded.
          prefixes: how each output has to begin, as far as `max_decode_length` reaches; None, or an
            empty text, leaves it free.
          allowed: the tokens that each output may be made of; None leaves it free. Tokens that the
            vocabulary lacks are passed over.
          attention: whether hypotheses have it; needs a model that `has_attention`.
          history: whether predictions have it; not for samples.
        """
        _check_lists(texts, prefixes=prefixes, allowed=allowed)
        search = self._search(attention, history)
        sources = [self.tokenizers.source.split(text) for text in texts]
        encoded, seen = self._encode(sources)
        there = np.flatnonzero([bool(source) for source in sources])
        batch_size = 1 if len(there) == 1 else self._batch_size
        conditions = self._conditions(texts, prefixes, allowed)

        def started() -> Iterator[tuple[np.ndarray, SearchResult]]:
            for batch, places in source_batches(encoded, batch_size, there):
                indices = there[places[places >= 0]]
                batch |= constraint_arrays(indices, batch_size, **conditions)
                yield indices, search(self._params, self._devices.shard_global_batch(batch))

        predictions = [Prediction(text, [], []) for text in texts]
        for indices, result in _with_the_next_started(started()):
            result = self._devices.to_host(result)
            for row, index in enumerate(indices):
                predictions[index] = self._read(texts[index], seen[index], result, row)
        return predictions

    def score(
        self, sources: Sequence[str], targets: Sequence[str], *, attention: bool = False
    ) -> list[TargetScore]:
        """How likely each target is, given its source: all of it, however long.

        Args:
          attention: whether results have it; needs a model that `has_attention`.
        """
        _check_lists(sources, targets=targets)
        vocabulary = self.vocabularies.target
        encoded, seen = self._encode([self.tokenizers.source.split(text) for text in sources])
        tokens = [self.tokenizers.target.split(text) for text in targets]
        encoded_targets = Ragged.from_rows(
            encode_target(target, vocabulary, len(target) + 2) for target in tokens
        )
        mean = self.config.inference.ensemble_mean
        run = self._compiled(("score", attention, mean), lambda: self._make_score(mean, attention))
        batch_size = 1 if len(sources) == 1 else self._batch_size
        results: dict[int, TargetScore] = {}
        longer = np.maximum(encoded.lengths, encoded_targets.lengths - 1)
        for indices, width in length_sorted_batches(longer, batch_size):
            source_ids, source_len = encoded.padded(indices, width, batch_size)
            target_ids, target_len = encoded_targets.padded(indices, width + 1, batch_size)
            batch = {
                "source_ids": source_ids,
                "source_len": source_len,
                "target_ids": target_ids,
                "target_len": target_len,
            }
            scores = self._devices.to_host(
                run(self._params, self._devices.shard_global_batch(batch))
            )
            for row, index in enumerate(indices):
                length = target_len[row] - 1
                weights = None
                if attention:
                    weights = scores.attention[row, :length, : source_len[row]].copy()
                results[index] = TargetScore(
                    source=sources[index],
                    target=targets[index],
                    source_tokens=seen[index],
                    tokens=vocabulary.decode(target_ids[row, 1 : length + 1].tolist()),
                    token_log_probs=scores.token_log_probs[row, :length].copy(),
                    attention=weights,
                )
        return [results[index] for index in range(len(sources))]

    def warm_up(
        self, longest: int | None = None, *, attention: bool = False, history: bool = False
    ) -> None:
        """Compiles, or reads from the compilation cache, what `predict` needs without prefixes and
        allowed words.

        Args:
          longest: of the sources that will come, in tokens; None: as long as they may be.
          attention, history: as they will be given to `predict`.
        """
        search = self._search(attention, history)
        most = self.config.source.max_seq_len
        longest = most if longest is None else min(longest + 1, most)
        for rows in sorted({1, self._batch_size}):
            for width in sorted({padded_length(length) for length in range(1, longest + 1)}):
                batch = {
                    "source_ids": np.zeros((rows, width), np.int32),
                    "source_len": np.zeros(rows, np.int32),
                }
                batch |= constraint_arrays(np.zeros(0, int), rows, **self._conditions([]))
                jax.block_until_ready(search(self._params, self._devices.shard_global_batch(batch)))

    def _search_as(self, config: ConfigDict) -> None:
        self.config = config
        self._options = search_options(config.inference)
        self._batch_size = self._devices.round_up(config.inference.batch_size)

    def _compiled(self, key: Any, make: Callable[[], Any]) -> Any:
        """The function of that key, made once, whichever thread comes first."""
        with self._lock:
            if key not in self._functions:
                self._functions[key] = make()
            return self._functions[key]

    def _search(self, attention: bool, history: bool) -> Callable[[Any, Batch], SearchResult]:
        if attention and not self.has_attention:
            raise ValueError("a model without attention has none to give")
        if history and self.config.inference.sampling.enable:
            raise ValueError("samples come from no search and have no history")
        n_best = self.config.inference.n_best
        key = ("search", attention, history, n_best, *self._options.items())
        return self._compiled(key, lambda: self._make_search(n_best, attention, history))

    def _make_search(
        self, n_best: int, attention: bool, history: bool
    ) -> Callable[[Any, Batch], SearchResult]:
        decode = make_decode(
            self._models,
            self.vocabularies.target,
            **self._options,
            return_attention=attention,
            return_history=history,
        )

        @jax.jit
        def search(params: Any, batch: Any) -> SearchResult:
            found = decode(params, **batch)
            best = jax.tree.map(lambda leaf: leaf[:, :n_best], found.replace(history=None))
            return best.replace(history=found.history)

        return search

    def _make_score(self, mean: str, attention: bool) -> Callable[[Any, Batch], Any]:
        if attention and not self.has_attention:
            raise ValueError("a model without attention has none to give")
        score = make_score(self._models, ensemble_mean=mean, return_attention=attention)
        names = ("source_ids", "source_len", "target_ids", "target_len")
        return lambda params, batch: score(params, *(batch[name] for name in names))

    def _encode(self, sources: Sequence[list[str]]) -> tuple[Ragged, list[list[str]]]:
        """Ids of the sources, and what the model sees of each, SEQUENCE_END included."""
        vocabulary, most = self.vocabularies.source, self.config.source.max_seq_len
        too_long = sum(len(source) + 1 > most for source in sources)
        if too_long:
            _log.warning(
                "%d of %d sources cut to source.max_seq_len=%d tokens, the end token included",
                too_long, len(sources), most,
            )  # fmt: skip
        encoded = Ragged.from_rows(encode_source(source, vocabulary, most) for source in sources)
        return encoded, [[*source, SEQUENCE_END][:most] for source in sources]

    def _conditions(
        self,
        texts: Sequence[str],
        prefixes: Sequence[str | None] | None = None,
        allowed: Sequence[Collection[str] | None] | None = None,
    ) -> dict[str, Any]:
        """The keywords of `constraint_arrays`."""
        vocabulary, sampling = self.vocabularies.target, self.config.inference.sampling
        conditions: dict[str, Any] = {"vocabulary_size": vocabulary.size}
        if sampling.enable:
            conditions["seeds"] = text_seeds(sampling.seed, texts)
        split = self.tokenizers.target.split
        if prefixes is not None and any(prefixes):
            conditions["prefixes"] = Ragged.from_rows(
                vocabulary.encode(split(prefix or "")) for prefix in prefixes
            )
        if allowed is not None and any(words is not None for words in allowed):
            known = {token: i for i, token in enumerate(vocabulary.decode(range(vocabulary.size)))}
            conditions["allowed"] = [
                None if words is None else [known[word] for word in words if word in known]
                for words in allowed
            ]
        return conditions

    def _read(self, text: str, seen: list[str], result: SearchResult, row: int) -> Prediction:
        """A row of a result on the host."""
        n_best = to_hypotheses(
            result, row, self.vocabularies.target, self.tokenizers.target, len(seen)
        )
        history = None
        if result.history is not None:
            taken = slice(int(result.history.steps[row]))
            history = SearchHistory(
                words=np.array(result.history.words[taken, row]),
                parents=np.array(result.history.parents[taken, row]),
                log_probs=np.array(result.history.log_probs[taken, row]),
                scores=np.array(result.history.scores[taken, row]),
                slots=np.array(result.history.slots[row]),
            )
        return Prediction(text, seen, n_best, history)


def text_seeds(seed: int, texts: Iterable[str]) -> np.ndarray:
    """[N] u32, for sampling: the same for the same text, wherever it stands."""
    return per_example_seeds(
        seed, (zlib.crc32(text.encode("utf-8", "surrogatepass")) for text in texts)
    )


def _with_the_next_started(started: Iterator[_T]) -> Iterator[_T]:
    """Yields each when the next one has been started: devices work while the host does."""
    before = next(started, None)
    for after in started:
        assert before is not None
        yield before
        before = after
    if before is not None:
        yield before


def _check_lists(first: Sequence[str], **others: Sequence | None) -> None:
    """Raises what a wrong call is worth: a text in the place of a list, or lists of two lengths."""
    if isinstance(first, str):
        raise TypeError("a list of texts, please; [text] for one")
    for name, other in others.items():
        if isinstance(other, str):
            raise TypeError(f"{name} must be a list, one item for each text")
        if other is not None and len(other) != len(first):
            raise ValueError(f"{len(other)} {name} for {len(first)} texts")
