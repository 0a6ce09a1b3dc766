"""A loaded model: texts in, texts out."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from seq2seq_jax.checkpoints import Checkpoints, into_template
from seq2seq_jax.config import resolve
from seq2seq_jax.data.corpus import encode_source
from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.data.tokenizers import Tokenizers
from seq2seq_jax.errors import UserError
from seq2seq_jax.inference.decoding import make_decode
from seq2seq_jax.models.build import build_model, init_params
from seq2seq_jax.workdir import Vocabularies, Workdir, check_vocabularies_fit

_log = logging.getLogger(__name__)


class Prediction(NamedTuple):
    """The best hypothesis for one source.

    Attributes:
      text: as people read it.
      tokens: of the target's vocabulary, without special tokens.
      log_prob: natural logarithm of its probability, SEQUENCE_END included.
      score: what the search ranked it by: log_prob / length penalty.
    """

    text: str
    tokens: list[str]
    log_prob: float
    score: float


EMPTY = Prediction("", [], 0.0, 0.0)
"""What an empty source gives."""


class Predictor:
    """A model with its parameters, its vocabularies and its tokenizers.

        predictor = Predictor.from_workdir("runs/g2p")
        predictor.predict(["transformer"])[0].text

    Each padded shape is compiled when it first comes; there are few.
    """

    def __init__(self, loaded: "LoadedModel", config: ConfigDict):
        self.vocabularies = loaded.vocabularies
        self.tokenizers = loaded.tokenizers
        self.config = config
        self._params = loaded.params
        self._decode = make_decode(
            loaded.model,
            loaded.vocabularies.target,
            beam_width=config.inference.beam_search.beam_width,
            length_penalty_weight=config.inference.beam_search.length_penalty_weight,
            max_length=config.inference.max_decode_length,
        )

    @classmethod
    def from_workdir(cls, workdir: str, overrides: Sequence[tuple[str, str]] = ()) -> "Predictor":
        """Loads the best checkpoint of a workdir, or the one that `inference.checkpoint` says.

        Args:
          overrides: (dotted key, text) as on the command line, such as
            ("inference.beam_search.beam_width", "5").

        Raises:
          UserError: nothing was trained there, or an override is wrong.
        """
        opened = Workdir(workdir)
        config = resolve(opened.config(), overrides)
        return cls(load_model(opened, config), config)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Decodes each text, in the order given; an empty text gives an empty prediction."""
        tokens = [self.tokenizers.source.split(text) for text in texts]
        max_len = self.config.source.max_seq_len
        too_long = sum(len(source) + 1 > max_len for source in tokens)
        if too_long:
            _log.warning(
                "%d of %d sources cut to source.max_seq_len=%d tokens, the end token included",
                too_long, len(texts), max_len,
            )  # fmt: skip
        ids = Ragged.from_rows(
            encode_source(source, self.vocabularies.source, max_len) for source in tokens
        )
        predictions = [EMPTY] * len(texts)
        for indices in _batches(
            [len(source) for source in tokens], self.config.inference.batch_size
        ):
            for index, prediction in zip(indices, self._predict_batch(ids, indices), strict=True):
                predictions[index] = prediction
        return predictions

    def _predict_batch(self, ids: Ragged, indices: np.ndarray) -> list[Prediction]:
        rows = 1 if len(indices) == 1 else self.config.inference.batch_size
        width = padded_length(int(ids.lengths[indices].max()))
        source_ids, source_len = ids.padded(indices, width, rows)
        result = self._decode(self._params, source_ids, source_len)
        best = result.ids[:, 0], result.lengths[:, 0], result.log_probs[:, 0], result.scores[:, 0]
        predictions = []
        for words, length, log_prob, score in zip(*map(np.asarray, best), strict=True):
            tokens = self.vocabularies.target.decode(words[:length])
            text = self.tokenizers.target.join(tokens)
            predictions.append(Prediction(text, tokens, float(log_prob), float(score)))
        return predictions[: len(indices)]


class LoadedModel(NamedTuple):
    """A trained model, with its parameters at `step`, and how it splits and numbers text."""

    model: nn.Module
    params: Any
    tokenizers: Tokenizers
    vocabularies: Vocabularies
    step: int


def load_model(workdir: Workdir, config: ConfigDict) -> LoadedModel:
    """The model of a workdir, at the step that `inference.checkpoint` says.

    Raises:
      UserError: there is no whole checkpoint, or it does not fit the configuration.
    """
    checkpoints = workdir.checkpoints(config)
    chosen = _chosen_step(checkpoints, config.inference.checkpoint)
    step, arrays, data = checkpoints.read(chosen)
    where = f"{checkpoints.directory}/{step}"
    vocabularies = workdir.vocabularies()
    tokenizers = workdir.tokenizers(config)
    if vocabularies is None or tokenizers is None:
        missing = "vocabularies" if vocabularies is None else "subwords"
        raise UserError(str(workdir.path), f"its {missing} are missing; restore a copy of them")
    check_vocabularies_fit(data, vocabularies, where)
    model = build_model(config, vocabularies.source.size, vocabularies.target.size)
    template = jax.eval_shape(lambda: {"params": init_params(model, seed=0)})
    params = into_template(template, arrays, where)["params"]
    return LoadedModel(model, params, tokenizers, vocabularies, step)


def padded_length(length: int) -> int:
    """The width to which sources of a length are padded: few widths, little padding."""
    return 8 * -(-length // 8) if length <= 64 else 32 * -(-length // 32)


def _chosen_step(checkpoints: Checkpoints, choice: str) -> int | None:
    """The step that `inference.checkpoint` means; None for the latest that is whole."""
    if choice == "best":
        return checkpoints.best_step()
    return None if choice == "latest" else int(choice)


def _batches(lengths: Sequence[int], batch_size: int) -> list[np.ndarray]:
    """Indices of the non-empty sources, sorted by length, a batch each: little is padded."""
    order = np.argsort(lengths, kind="stable")
    order = order[np.asarray(lengths, int)[order] > 0]
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
