"""Run programs in StableHLO that `seq2seq-jax export --format=stablehlo` wrote.

It needs JAX, NumPy and flatbuffers, and seq2seq_numpy.py next to it, which splits texts and reads
weights.

    model = load("directory")
    model.predict(["transformer"])[0].text
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import jax.export
import numpy as np

try:
    from seq2seq_numpy import Hypothesis, Prediction, Text, read_safetensors, to_float32
except ModuleNotFoundError:
    from .seq2seq_numpy import Hypothesis, Prediction, Text, read_safetensors, to_float32


class Model:
    """Compiled programs with their weights and vocabularies."""

    def __init__(self, directory: str | Path) -> None:
        """Read the files; a program is compiled when it is first needed."""
        self._directory = Path(directory)
        text = Path(directory, "config.json").read_text(encoding="utf-8")
        self.config: dict[str, Any] = json.loads(text)
        self.source, self.target = Text(self.config["source"]), Text(self.config["target"])
        arrays = read_safetensors(Path(directory, "model.safetensors").read_bytes())
        self._weights = jax.device_put(to_float32(arrays))
        self._programs: dict[str, Any] = {}

    def predict(self, texts: Iterable[str]) -> list[Prediction]:
        """Predict the outputs for some texts, with the search that was exported.

        Args:
          texts: The sources.

        Returns:
          A prediction for each text. Hypotheses have no attention weights.
        """
        texts = list(texts)
        ids = [self.source.encode(text) for text in texts]
        predictions = [Prediction(text, [], []) for text in texts]
        order = sorted((i for i in range(len(texts)) if ids[i]), key=lambda i: len(ids[i]))
        most = max(program["batch"] for program in self.config["programs"])
        for first in range(0, len(order), most):
            batch = order[first : first + most]
            rows, length = len(batch), max(len(ids[i]) for i in batch)
            chosen = min(
                (
                    p
                    for p in self.config["programs"]
                    if p["batch"] >= rows and p["length"] >= length
                ),
                key=lambda program: (program["batch"], program["length"]),
            )
            source_ids = np.zeros((chosen["batch"], chosen["length"]), np.int32)
            source_len = np.zeros(chosen["batch"], np.int32)  # 0: the row pads the batch
            for row, i in enumerate(batch):
                source_ids[row, : len(ids[i])], source_len[row] = ids[i], len(ids[i])
            program = self._program(chosen["file"])
            result = jax.device_get(program(self._weights, source_ids, source_len))
            for row, i in enumerate(batch):
                predictions[i] = self._to_prediction(
                    texts[i], {k: v[row] for k, v in result.items()}
                )
        return predictions

    def _program(self, file: str) -> Any:
        if file not in self._programs:
            content = bytearray((self._directory / file).read_bytes())
            self._programs[file] = jax.jit(jax.export.deserialize(content).call)
        return self._programs[file]

    def _to_prediction(self, text: str, result: dict[str, Any]) -> Prediction:
        best: dict[str, Hypothesis] = {}  # Several segmentations may have the same text.
        for k, log_prob in enumerate(result["log_probs"].tolist()):
            if log_prob == -np.inf:  # There are no more hypotheses.
                break
            tokens = [self.target.names[i] for i in result["ids"][k][: result["lengths"][k]]]
            output = self.target.join(tokens)
            score, finished = float(result["scores"][k]), bool(result["finished"][k])
            hypothesis = Hypothesis(output, tokens, log_prob, score, finished, np.zeros((0, 0)))
            best.setdefault(output, hypothesis)
        source_tokens = [*self.source.split(text), "SEQUENCE_END"][: self.source.max_len]
        n_best = list(best.values())[: self.config["search"]["n_best"]]
        return Prediction(text, source_tokens, n_best)


def load(directory: str | Path = Path(__file__).parent) -> Model:
    """Load the programs of a directory; without it, of that of this file."""
    return Model(directory)
