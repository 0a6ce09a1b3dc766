"""An encoder-decoder model in NumPy: read its files, encode a text, search for the best output.

This file is the whole program. It needs NumPy alone, and the two files that `seq2seq-jax export`
writes: config.json, which describes the model, and model.safetensors, which holds its weights.

    model = load("directory")
    model.predict(["transformer"])[0].text
    model.predict(["transformer"], beam_width=5, n_best=3)[0].n_best

It runs one text at a time, so there is no padding. Letters for shapes: S is the number of source
tokens, K of hypotheses, V of target tokens; E, D, H and A are widths.

The parts follow the path of a text: weights, tokens, cells, layers, encoders, attention, the model
with its decoder step, greedy search, beam search, and the command line.
"""

import argparse
import hashlib
import json
import math
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray
State = list[Array]
"""The state of one cell: [h], or [c, h] of an LSTM. Each array is [D], or [K, D] in a search."""

FORMAT = "seq2seq-jax export"
FORMAT_VERSION = 1

# ---------------------------------------------------------------------------------------- weights

_DTYPES = {"F32": np.float32, "F16": np.float16, "I8": np.int8}


def read_safetensors(content: bytes) -> dict[str, Array]:
    """Read the arrays of a safetensors file.

    The file is the length of a header (8 bytes), the header (JSON: name -> dtype, shape, and
    position of the array), and the bytes of all arrays.

    Args:
      content: The content of the file.

    Returns:
      The arrays by name.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    arrays = {}
    for name, entry in json.loads(content[8:start]).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            data = np.frombuffer(content[start + first : start + last], _DTYPES[entry["dtype"]])
            arrays[name] = data.reshape(entry["shape"])
    return arrays


def to_float32(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return weights as float32; int8 weights are multiplied by the scales of their channels."""
    weights = {}
    for name, array in arrays.items():
        if not name.endswith(".scale_of_int8"):
            scale = arrays.get(f"{name}.scale_of_int8")
            weights[name] = array.astype(np.float32) * (np.float32(1) if scale is None else scale)
    return weights


class Weights:
    """Weights by dotted names, as one module sees them: `Weights(arrays, "decoder.")["mix.v"]`."""

    def __init__(self, arrays: Mapping[str, Array], prefix: str = "") -> None:
        """Look at the weights whose names start with the prefix."""
        self._arrays, self._prefix = arrays, prefix

    def __getitem__(self, name: str) -> Array:
        return self._arrays[self._prefix + name]

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._arrays

    def below(self, name: str) -> "Weights":
        """Return the weights of a submodule."""
        return Weights(self._arrays, f"{self._prefix}{name}.")

    def dense(self, name: str, x: Array) -> Array:
        """Apply a dense layer, x W + b, to x [..., I]; some layers have no b."""
        y: Array = x @ self[f"{name}.kernel"]
        return y + self[f"{name}.bias"] if f"{name}.bias" in self else y


# ----------------------------------------------------------------------------------------- tokens

_SPECIAL_TOKENS = ["UNK", "SEQUENCE_START", "SEQUENCE_END"]


class Text:
    """One side's tokens: their ids, and how a text is split into them.

    Attributes:
      names: The token of each id; the last three are UNK, SEQUENCE_START and SEQUENCE_END.
      unk, start, end: The ids of these three.
      max_len: A source is truncated to this many tokens, including SEQUENCE_END.
      unique: Whether different tokens always make different texts.
    """

    def __init__(self, side: Mapping[str, Any]) -> None:
        """Read the part `source` or `target` of config.json."""
        self.names = [*side["tokens"], *_SPECIAL_TOKENS]
        self.unk, self.start, self.end = range(len(side["tokens"]), len(self.names))
        self.max_len: int = side["max_seq_len"]
        self._ids = {name: i for i, name in enumerate(self.names)}
        self._delimiter: str = side["delimiter"]  # empty: the tokens are characters
        self._lowercase: bool = side["lowercase"]
        self._form = side["normalization"]  # of Unicode, such as NFD; outputs are then in NFC
        self.unique = side["bpe"] is None and self._form is None  # one sequence of ids per text
        bpe = side["bpe"]
        self._merges: dict[str, int] | None = None
        if bpe is not None:
            self._merges = {}
            for pair in bpe["merges"]:
                self._merges.setdefault(pair, len(self._merges))
            self._separate_end = bpe["version"] == "0.1"

    def split(self, text: str) -> list[str]:
        """Return the tokens of a text."""
        if self._lowercase:
            text = text.lower()
        if self._form:
            text = unicodedata.normalize(self._form, text)
        if not self._delimiter:
            words = list(text)
        else:
            words = [word for word in text.split(self._delimiter) if word]
        if self._merges is None:
            return words
        return [piece for word in words for piece in self._split_word(word)]

    def join(self, tokens: Sequence[str]) -> str:
        """Return the text of tokens: the inverse of `split`."""
        if self._merges is None:
            text = self._delimiter.join(tokens)
        else:
            words, prefix = [], ""
            for token in tokens[:-1]:
                prefix += token.removesuffix("@@")
                if not token.endswith("@@"):
                    words.append(prefix)
                    prefix = ""
            last = [prefix + token.removesuffix("@@") for token in tokens[-1:]]
            text = self._delimiter.join(words + last)
        return unicodedata.normalize("NFC", text) if self._form else text

    def encode(self, text: str) -> list[int]:
        """Return the ids of a source: its tokens and SEQUENCE_END, truncated to `max_len`."""
        ids = [self._ids.get(token, self.unk) for token in self.split(text)]
        return [*ids, self.end][: self.max_len] if ids else []

    def _split_word(self, word: str) -> list[str]:
        """Split a word into BPE subwords; all but the last end in @@ (arXiv:1508.07909)."""
        merges = self._merges or {}
        symbols = [*word, "</w>"] if self._separate_end else [*word[:-1], word[-1] + "</w>"]
        never = len(merges)
        while len(symbols) > 1:
            pairs = [f"{a} {b}" for a, b in pairwise(symbols)]
            best = min(pairs, key=lambda pair: merges.get(pair, never))
            if best not in merges:
                break
            merged, i = [], 0
            while i < len(symbols):
                joins = i < len(pairs) and pairs[i] == best
                merged.append("".join(symbols[i : i + 2]) if joins else symbols[i])
                i += 1 + joins
            symbols = merged
        symbols[-1] = symbols[-1].removesuffix("</w>")
        *before, last = symbols if symbols[-1] else symbols[:-1]
        if last.endswith("@@") or last in _SPECIAL_TOKENS:  # It must not look like something else.
            before, last = [*before, last[:-1]], last[-1]
        return [*(piece + "@@" for piece in before), last]


# ------------------------------------------------------------------------------------------ cells


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), in a form that does not overflow."""
    half: Array = 0.5 * np.tanh(0.5 * x) + 0.5
    return half


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": sigmoid,
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.logaddexp(x, np.float32(0)),
    "gelu": lambda x: x * sigmoid(np.float32(1.5957691) * (x + np.float32(0.044715) * x * x * x)),
}


# Each cell gets its projected input, z = x W + b, which is computed at once for a whole source.


def basic_rnn(w: Weights, p: Mapping[str, Any], state: State, z: Array) -> tuple[State, Array]:
    """BasicRNNCell: h' = tanh(x W + h U + b)."""
    (h,) = state
    h = ACTIVATIONS[p["activation"]](z + w.dense("recurrent", h))
    return [h], h


def gru(w: Weights, p: Mapping[str, Any], state: State, z: Array) -> tuple[State, Array]:
    """GRUCell (arXiv:1406.1078); the reset gate r acts before the matrix product.

    r, u = sigmoid(x W + h U + b)
    h'   = u * h + (1 - u) * tanh(x W_c + (r * h) U_c + b_c)
    """
    (h,) = state
    width = h.shape[-1]
    r, u = np.split(sigmoid(z[..., : 2 * width] + w.dense("gates", h)), 2, axis=-1)
    c = ACTIVATIONS[p["activation"]](z[..., 2 * width :] + w.dense("candidate", r * h))
    h = u * h + (1 - u) * c
    return [h], h


def lstm(w: Weights, p: Mapping[str, Any], state: State, z: Array) -> tuple[State, Array]:
    """BasicLSTMCell, and LSTMCell with its extensions (arXiv:1402.1128).

    i, j, f, o = x W + h U + b
    c' = c * sigmoid(f + forget_bias) + sigmoid(i) * tanh(j)
    h' = tanh(c') * sigmoid(o)
    """
    c, h = state
    tanh = ACTIVATIONS[p["activation"]]
    i, j, f, o = np.split(z + w.dense("recurrent", h), 4, axis=-1)
    peepholes = p.get("use_peepholes", False)
    if peepholes:
        i, f = i + w["peephole_i"] * c, f + w["peephole_f"] * c
    c = c * sigmoid(f + np.float32(p["forget_bias"])) + sigmoid(i) * tanh(j)
    if p.get("cell_clip"):
        c = np.clip(c, np.float32(-p["cell_clip"]), np.float32(p["cell_clip"]))
    if peepholes:
        o = o + w["peephole_o"] * c
    h = tanh(c) * sigmoid(o)
    if p.get("num_proj"):
        h = w.dense("projection", h)
        if p["proj_clip"]:
            h = np.clip(h, np.float32(-p["proj_clip"]), np.float32(p["proj_clip"]))
    return [c, h], h


def layer_norm_lstm(
    w: Weights, p: Mapping[str, Any], state: State, z: Array
) -> tuple[State, Array]:
    """LayerNormBasicLSTMCell: an LSTM with normalized gates and cell state (arXiv:1607.06450)."""

    def norm(name: str, y: Array) -> Array:
        if not p["layer_norm"]:
            return y
        centered = y - y.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centered**2).mean(axis=-1, keepdims=True) + np.float32(1e-12))
        normalized: Array = centered / deviation * w[f"norm_{name}.scale"] + w[f"norm_{name}.bias"]
        return normalized

    c, h = state
    tanh = ACTIVATIONS[p["activation"]]
    gates = np.split(z + w.dense("recurrent", h), 4, axis=-1)
    i, j, f, o = (norm(name, gate) for name, gate in zip("ijfo", gates, strict=True))
    c = norm("c", c * sigmoid(f + np.float32(p["forget_bias"])) + sigmoid(i) * tanh(j))
    h = tanh(c) * sigmoid(o)
    return [c, h], h


CELLS = {
    "BasicRNNCell": basic_rnn,
    "GRUCell": gru,
    "BasicLSTMCell": lstm,
    "LSTMCell": lstm,
    "LayerNormBasicLSTMCell": layer_norm_lstm,
}

# ----------------------------------------------------------------------------------------- layers


def zero_state(rnn: Mapping[str, Any]) -> list[State]:
    """Return the state before the first step of each layer; `rnn` are the keys `rnn_cell.*`."""
    params = rnn["cell_params"]
    widths = [params["num_units"]]
    if "LSTM" in rnn["cell_class"]:
        widths.append(params.get("num_proj") or params["num_units"])
    return [[np.zeros(n, np.float32) for n in widths] for _ in range(rnn["num_layers"])]


def through_layers(
    w: Weights, rnn: Mapping[str, Any], x: Array, run_layer: Callable[[int, Array], Array]
) -> Array:
    """Run all layers on x [..., E], with residual connections if there are several layers."""
    residual, combiner = rnn["residual_connections"], rnn["residual_combiner"]
    if "input_transform.kernel" in w:  # What is to be added must be as wide.
        x = w.dense("input_transform", x)
    below = [x]
    for i in range(rnn["num_layers"]):
        output = run_layer(i, below[-1])
        if residual and rnn["num_layers"] > 1:
            inputs = below if rnn["residual_dense"] else below[-1:]
            if combiner == "concat":
                output = np.concatenate([output, *inputs], axis=-1)
            else:
                total = np.sum(inputs, axis=0, dtype=np.float32)
                output = output + (total / np.float32(len(inputs)) if combiner == "mean" else total)
        below.append(output)
    return below[-1]


# --------------------------------------------------------------------------------------- encoders


FORWARD, BACKWARD = 1, -1  # steps of a slice


@dataclass
class Encoded:
    """The output of an encoder.

    Attributes:
      outputs: [S, H], from which attention computes its keys.
      final_state: Vectors [D], from which the bridge makes the decoder's first state.
      values: [S, H], the values that attention averages.
    """

    outputs: Array
    final_state: list[Array]
    values: Array


def rnn_encoder(w: Weights, encoder: Mapping[str, Any], inputs: Array) -> Encoded:
    """Run a recurrent encoder.

    UnidirectionalRNNEncoder has one multi-layer RNN, BidirectionalRNNEncoder one in each direction.
    In StackBidirectionalRNNEncoder each layer sees the outputs of both directions below it.
    """
    stacks = {
        "UnidirectionalRNNEncoder": {"forward": {"cell": FORWARD}},
        "BidirectionalRNNEncoder": {"forward": {"cell": FORWARD}, "backward": {"cell": BACKWARD}},
        "StackBidirectionalRNNEncoder": {"stack": {"cell": FORWARD, "backward_cell": BACKWARD}},
    }[encoder["class"]]
    outputs, final_state = [], []
    for name, directions in stacks.items():
        output, final = run_stack(w.below(name), encoder["params"]["rnn_cell"], inputs, directions)
        outputs.append(output)
        final_state += final
    joined = np.concatenate(outputs, axis=-1)
    return Encoded(joined, final_state, joined)


def run_stack(
    w: Weights, rnn: Mapping[str, Any], inputs: Array, directions: Mapping[str, int]
) -> tuple[Array, list[Array]]:
    """Run the layers of one RNN over the inputs [S, E], each in all of its directions.

    Args:
      w: The weights of the RNN.
      rnn: The keys `rnn_cell.*`.
      inputs: [S, E].
      directions: `FORWARD` or `BACKWARD` by the name of the cell.

    Returns:
      The outputs [S, D], and the final state: all layers of one direction, then of the other.
    """
    cell, zeros = CELLS[rnn["cell_class"]], zero_state(rnn)
    final_state: dict[str, list[Array]] = {name: [] for name in directions}

    def run_layer(i: int, x: Array) -> Array:
        results = []
        for name, direction in directions.items():
            weights, state, outputs = w.below(f"{name}_{i}"), zeros[i], []
            for z in weights.dense("input", x)[::direction]:
                state, output = cell(weights, rnn["cell_params"], state, z)
                outputs.append(output)
            results.append(np.stack(outputs[::direction]))  # as the inputs are ordered
            final_state[name] += state
        return np.concatenate(results, axis=-1)

    outputs = through_layers(w, rnn, inputs, run_layer)
    return outputs, [part for parts in final_state.values() for part in parts]


def pooling_encoder(w: Weights, encoder: Mapping[str, Any], inputs: Array) -> Encoded:
    """PoolingEncoder: the mean or maximum of each window of embeddings (arXiv:1611.02344)."""
    params = encoder["params"]
    inputs = add_positions(inputs, params["position_embeddings"])
    size, strides, length = params["pool_size"], params["strides"], len(inputs)
    number = -(-length // strides)
    before = max((number - 1) * strides + size - length, 0) // 2
    pool = np.max if params["pooling_fn"] == "max_pooling1d" else np.mean
    starts = [i * strides - before for i in range(number)]
    windows = [inputs[max(start, 0) : start + size] for start in starts]
    outputs = np.stack([pool(window, axis=0) for window in windows])
    return Encoded(outputs, [outputs.mean(axis=0)], inputs)


def conv_encoder(w: Weights, encoder: Mapping[str, Any], inputs: Array) -> Encoded:
    """ConvEncoder: one stack of convolutions for the keys of attention, one for its values."""
    params = encoder["params"]
    inputs = add_positions(inputs, params["position_embeddings"])
    stacks = []
    for name in ("attention_cnn", "output_cnn"):
        x = inputs
        for i in range(params[name]["layers"]):
            kernel = w[f"{name}.conv_{i}.kernel"]  # [size, I, O]
            size = len(kernel)
            padded = np.pad(x, (((size - 1) // 2, size // 2), (0, 0)))
            y = sum(padded[k : k + len(x)] @ kernel[k] for k in range(size))
            y = y + w[f"{name}.conv_{i}.bias"]
            x = np.tanh(y + x if i else y)
        stacks.append(x)
    outputs, values = stacks
    return Encoded(outputs, [values.mean(axis=0)], values)


def add_positions(inputs: Array, positions: Mapping[str, Any]) -> Array:
    """Combine embeddings [S, E] with those of their positions (arXiv:1503.08895, section 4.1)."""
    if not positions["enable"]:
        return inputs
    number, width = positions["num_positions"], inputs.shape[-1]
    j = np.arange(1, len(inputs) + 1, dtype=np.float32)[:, None] / np.float32(number + 1)
    k = np.arange(1, width + 1, dtype=np.float32) / np.float32(width + 1)
    table: Array = (1 - j) - k * (1 - 2 * j)
    combined: Array = inputs * table if positions["combiner_fn"] == "multiply" else inputs + table
    return combined


ENCODERS = {
    "UnidirectionalRNNEncoder": rnn_encoder,
    "BidirectionalRNNEncoder": rnn_encoder,
    "StackBidirectionalRNNEncoder": rnn_encoder,
    "PoolingEncoder": pooling_encoder,
    "ConvEncoder": conv_encoder,
}

# ---------------------------------------------------------------------------------------- decoder


@dataclass
class DecoderState:
    """What the decoder carries from step to step, for K hypotheses of one source.

    Attributes:
      layers: The state of each layer, arrays [K, D].
      context: [K, H], what attention read at the last step; H is 0 without attention.
    """

    layers: list[State]
    context: Array

    def select(self, rows: Sequence[int] | Array) -> "DecoderState":
        """Return the states of these hypotheses."""
        layers = [[part[rows] for part in layer] for layer in self.layers]
        return DecoderState(layers, self.context[rows])


class Model:
    """A model with its vocabularies; see `predict`.

    Attributes:
      config: The content of config.json.
    """

    def __init__(self, config: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        """Build a model from the content of its two files."""
        if config.get("format") != FORMAT or config["format_version"] > FORMAT_VERSION:
            raise ValueError("config.json is not of this program, or of a later version of it")
        self.config = config
        self.source, self.target = Text(config["source"]), Text(config["target"])
        self._weights = Weights(to_float32(arrays))
        self._has_attention = config["model"] == "AttentionSeq2Seq"
        shared = config["embedding"]["share"]
        self._target_table = "source_embedding" if shared else "target_embedding"

    def predict(self, texts: Iterable[str], **options: Any) -> list["Prediction"]:
        """Predict the outputs for some texts.

        Args:
          texts: The sources, as people write them.
          **options: How to search, instead of what config.json says under `search`: `beam_width`,
            `n_best`, `length_penalty_weight`, and so on.

        Returns:
          A prediction for each text.
        """
        if isinstance(texts, str):
            raise TypeError("texts must be a list of texts; got one text")
        search = self._search_options(options)
        return [self._predict_one(text, search) for text in texts]

    def encode(self, ids: Sequence[int]) -> tuple["Memory | None", DecoderState]:
        """Encode a source.

        Args:
          ids: The ids of its tokens, S of them.

        Returns:
          What attention reads, and the decoder's state before the first step, with K = 1.
        """
        w, config = self._weights, self.config
        if config["reverse_source"]:
            ids = ids[::-1]
        encoder = config["encoder"]
        inputs = w["source_embedding.embedding"][list(ids)]
        encoded = ENCODERS[encoder["class"]](w.below("encoder"), encoder, inputs)
        layers = self._bridge(encoded.final_state)
        width = encoded.values.shape[-1] if self._has_attention else 0
        state = DecoderState(layers, np.zeros([1, width], np.float32))
        if not self._has_attention:
            return None, state
        keys = w.below("decoder.attention").dense("project_keys", encoded.outputs)
        return Memory(keys, encoded.values), state

    def step(
        self, tokens: Sequence[int], state: DecoderState, memory: "Memory | None"
    ) -> tuple[Array, DecoderState, Array]:
        """Run one step of the decoder.

          output, state' = RNN([embedding; context], state)
          weights, context' = attention(output, memory)
          logits = W_l tanh(W_m [output; context'] + b_m) + b_l

        Without attention, logits = W_l output + b_l.

        Args:
          tokens: The last token of each hypothesis, [K].
          state: The state before the step.
          memory: What attention reads; None without attention.

        Returns:
          The logits [K, V], the new state, and the attention weights [K, S].
        """
        w, rnn = self._weights, self.config["decoder"]["params"]["rnn_cell"]
        cell, stack = CELLS[rnn["cell_class"]], w.below("decoder.stack")
        layers: list[State] = []

        def run_layer(i: int, x: Array) -> Array:
            weights = stack.below(f"cell_{i}")
            z = weights.dense("input", x)
            new_state, output = cell(weights, rnn["cell_params"], state.layers[i], z)
            layers.append(new_state)
            return output

        embedded = w[f"{self._target_table}.embedding"][list(tokens)]
        x = np.concatenate([embedded, state.context], axis=-1)
        output = through_layers(stack, rnn, x, run_layer)
        weights, context = np.zeros([len(tokens), 0], np.float32), state.context
        if memory is not None:
            kind = self.config["attention"]["class"]
            weights, context = memory.attend(w.below("decoder.attention"), kind, output)
            output = np.concatenate([output, context], axis=-1)
            output = np.tanh(w.dense("decoder.mix", output))
        return w.dense("decoder.project_logits", output), DecoderState(layers, context), weights

    def forbidden(self, prefix: Sequence[int], search: Mapping[str, Any]) -> list[int]:
        """Return the ids of the tokens that may not follow a prefix."""
        end = self.target.end
        forbidden = [self.target.start]
        if len(prefix) < search["min_decode_length"]:
            forbidden.append(end)
        if search["forbid_unk"]:
            forbidden.append(self.target.unk)
        size = search["no_repeat_ngram_size"]
        if size:  # A token that completes an n-gram that the prefix contains already.
            last = list(prefix[len(prefix) - size + 1 :]) if size > 1 else []
            for i in range(len(prefix) - size + 1):
                if list(prefix[i : i + size - 1]) == last:
                    forbidden.append(prefix[i + size - 1])
        if len(set(forbidden)) == len(self.target.names):
            forbidden = [token for token in forbidden if token != end]
        return forbidden

    def _bridge(self, final_state: list[Array]) -> list[State]:
        """Make the decoder's first state, arrays [1, D], of the encoder's last."""
        zeros = zero_state(self.config["decoder"]["params"]["rnn_cell"])
        bridge = self.config["bridge"]
        if bridge["class"] == "ZeroBridge":
            parts = [part for layer in zeros for part in layer]
        elif bridge["class"] == "PassThroughBridge":
            parts = final_state
        else:  # InitialStateBridge: one dense layer from all parts to all parts.
            dense = self._weights.below("bridge").dense("dense", np.concatenate(final_state))
            ends = np.cumsum([len(part) for layer in zeros for part in layer])[:-1]
            parts = np.split(ACTIVATIONS[bridge["params"]["activation_fn"]](dense), ends)
        remaining = iter(parts)
        return [[next(remaining)[None] for _ in layer] for layer in zeros]

    def _predict_one(self, text: str, search: Mapping[str, Any]) -> "Prediction":
        ids = self.source.encode(text)
        if not ids:
            return Prediction(text, [], [])
        tokens = [*self.source.split(text), "SEQUENCE_END"][: self.source.max_len]
        hypotheses = greedy_search if search["beam_width"] <= 1 else beam_search
        best: dict[str, Hypothesis] = {}  # Several segmentations may have the same text.
        for hypothesis in hypotheses(self, ids, search):
            best.setdefault(hypothesis.text, hypothesis)
        return Prediction(text, tokens, list(best.values())[: search["n_best"]])

    def _search_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        known = self.config["search"]
        for name in options:
            if name not in known:
                raise TypeError(f"unknown option {name}; valid: {', '.join(known)}")
        search = {**known, **options}
        if not 1 <= search["n_best"] <= max(1, search["beam_width"]):
            what = f"n_best must be between 1 and beam_width ({search['beam_width']})"
            raise ValueError(f"{what}; got {search['n_best']}")
        return search


@dataclass
class Memory:
    """What attention reads of one source: keys [S, A] and values [S, H]."""

    keys: Array
    values: Array

    def attend(self, w: Weights, kind: str, output: Array) -> tuple[Array, Array]:
        """Average the values with weights that depend on the decoder's output.

          AttentionLayerDot       score = key . query                (arXiv:1508.04025)
          AttentionLayerBahdanau  score = v . tanh(key + query)      (arXiv:1409.0473)

        Args:
          w: The weights of the attention layer.
          kind: Its class.
          output: [K, D].

        Returns:
          The attention weights [K, S] and the context [K, H].
        """
        query = w.dense("project_query", output)
        if kind == "AttentionLayerDot":
            scores = query @ self.keys.T
        else:
            scores = np.tanh(self.keys[None] + query[:, None]) @ w["v"]
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights = weights / weights.sum(axis=-1, keepdims=True)
        return weights, weights @ self.values


# ----------------------------------------------------------------------------------------- search


@dataclass(frozen=True)
class Hypothesis:
    """One output for a source.

    Attributes:
      text: The output as people read it.
      tokens: Its tokens.
      log_prob: Natural logarithm of its probability, including SEQUENCE_END if it is finished.
      score: What the search ranked it by: log_prob / length penalty + coverage penalty.
      finished: Whether SEQUENCE_END was reached; otherwise `max_decode_length` ended it.
      attention: [T, S], the weights with which each token was chosen; S is 0 without attention.
    """

    text: str
    tokens: list[str]
    log_prob: float
    score: float
    finished: bool
    attention: Array


@dataclass(frozen=True)
class Prediction:
    """All outputs for one source.

    Attributes:
      source: The text.
      source_tokens: What the model saw of it: truncated, and including SEQUENCE_END.
      n_best: Hypotheses with different texts, best first; none for an empty source.
    """

    source: str
    source_tokens: list[str]
    n_best: list[Hypothesis]

    @property
    def text(self) -> str:
        """The text of the best hypothesis; empty for an empty source."""
        return self.n_best[0].text if self.n_best else ""


@dataclass(frozen=True)
class _Partial:
    """A hypothesis during the search; its score is that of the last step."""

    ids: list[int]
    log_prob: float
    score: float
    finished: bool
    attention: list[Array]

    def output(self, model: Model) -> Hypothesis:
        tokens = [model.target.names[i] for i in self.ids]
        attention = np.stack(self.attention)
        if model.config["reverse_source"]:
            attention = attention[:, ::-1]  # in the order of `source_tokens`
        numbers = float(self.log_prob), float(self.score)
        return Hypothesis(model.target.join(tokens), tokens, *numbers, self.finished, attention)


def greedy_search(
    model: Model, source: Sequence[int], search: Mapping[str, Any]
) -> Iterator[Hypothesis]:
    """Choose the most likely token at each step, until SEQUENCE_END.

    Args:
      model: The model.
      source: The ids of the source.
      search: The part `search` of config.json.

    Yields:
      One hypothesis.
    """
    memory, state = model.encode(source)
    now = _Partial([], 0.0, 0.0, False, [])
    token = model.target.start
    while not now.finished and len(now.ids) < search["max_decode_length"]:
        logits, state, attention = model.step([token], state, memory)
        log_probs = log_softmax(logits)[0]
        allowed = log_probs.copy()
        allowed[model.forbidden(now.ids, search)] = -np.inf
        token = int(np.argmax(allowed))
        finished = token == model.target.end
        log_prob = now.log_prob + log_probs[token]
        ids = now.ids if finished else [*now.ids, token]
        now = _Partial(ids, log_prob, log_prob, finished, [*now.attention, attention[0]])
    yield now.output(model)


def beam_search(
    model: Model, source: Sequence[int], search: Mapping[str, Any]
) -> Iterator[Hypothesis]:
    """Search for the outputs with the best score.

      score = log-probability / length penalty + coverage_penalty_weight * coverage penalty

    At each step the `beam_width` best of all continuations of all hypotheses survive. A finished
    hypothesis has one continuation: itself. The search ends when no unfinished hypothesis can
    still reach the `n_best`, or after `max_decode_length` steps.

    Args:
      model: The model.
      source: The ids of the source.
      search: The part `search` of config.json.

    Yields:
      The hypotheses that are left, best first.
    """
    memory, state = model.encode(source)
    width, end = search["beam_width"], model.target.end
    needed = width if search["n_best"] > 1 and not model.target.unique else search["n_best"]
    beam = [_Partial([], 0.0, 0.0, False, [])]
    for _ in range(search["max_decode_length"]):
        last = [hypothesis.ids[-1] if hypothesis.ids else model.target.start for hypothesis in beam]
        logits, state, attention = model.step(last, state, memory)
        log_probs = log_softmax(logits)
        scores = np.full(log_probs.shape, -np.inf, np.float32)
        for k, hypothesis in enumerate(beam):
            if hypothesis.finished:
                scores[k, end] = hypothesis.score
                continue
            penalty = length_penalty(len(hypothesis.ids), search)
            longer = length_penalty(len(hypothesis.ids) + 1, search)
            totals = np.float32(hypothesis.log_prob) + log_probs[k]
            scores[k] = totals / longer
            scores[k, end] = totals[end] / penalty
            scores[k] += coverage_penalty([*hypothesis.attention, attention[k]], search)
            scores[k, model.forbidden(hypothesis.ids, search)] = -np.inf
        chosen = [(int(k), int(token)) for k, token in top_k(scores, width)]
        chosen = [(k, token) for k, token in chosen if scores[k, token] > -np.inf]
        beam = [
            beam[k] if beam[k].finished
            else _Partial(
                beam[k].ids if token == end else [*beam[k].ids, token],
                float(np.float32(beam[k].log_prob) + log_probs[k, token]),
                float(scores[k, token]),
                token == end,
                [*beam[k].attention, attention[k]],
            )
            for k, token in chosen
        ]  # fmt: skip
        state = state.select([k for k, _ in chosen])
        if all(hypothesis.finished for hypothesis in beam[:needed]):
            # An unfinished hypothesis can only lose log-probability.
            longest = length_penalty(search["max_decode_length"], search)
            bounds = [h.log_prob / longest for h in beam if not h.finished]
            worst = beam[needed - 1].score if len(beam) >= needed else -math.inf
            if max(bounds, default=-math.inf) <= worst:
                break
    for hypothesis in beam:
        yield hypothesis.output(model)


def log_softmax(logits: Array) -> Array:
    """Return log-probabilities [..., V]."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    normalized: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalized


def length_penalty(length: int, search: Mapping[str, Any]) -> np.float32:
    """Return ((5 + length) / 6) ** weight (arXiv:1609.08144, equation 14)."""
    return np.float32(((5 + length) / 6) ** search["length_penalty_weight"])


def coverage_penalty(attention: Sequence[Array], search: Mapping[str, Any]) -> np.float32:
    """Return the weighted sum of log(min(total attention, 1)) (arXiv:1609.08144, equation 14)."""
    weight = np.float32(search["coverage_penalty_weight"])
    if not weight:
        return weight
    total = np.sum(attention, axis=0, dtype=np.float32)
    return np.float32(weight * np.log(np.clip(total, np.finfo(np.float32).tiny, 1)).sum())


def top_k(scores: Array, k: int) -> list[tuple[int, int]]:
    """Return the (row, column) of the k best scores [K, V], best first; of equal ones the first."""
    flat = scores.ravel()
    k = min(k, len(flat))
    least = np.partition(flat, len(flat) - k)[len(flat) - k]
    candidates = np.flatnonzero(flat >= least)
    order = candidates[np.argsort(-flat[candidates], kind="stable")][:k]
    return [divmod(int(i), scores.shape[1]) for i in order]


# ---------------------------------------------------------------------------- files, command line


def load(directory: str | Path = Path(__file__).parent) -> Model:
    """Load a model.

    Args:
      directory: The directory of config.json and model.safetensors; without it, that of this file.

    Returns:
      The model.

    Raises:
      ValueError: The weights are not those that config.json describes.
    """
    config = json.loads(Path(directory, "config.json").read_text(encoding="utf-8"))
    content = Path(directory, "model.safetensors").read_bytes()
    if hashlib.sha256(content).hexdigest() != config["sha256"]:
        raise ValueError(f"{directory}: model.safetensors is damaged or of another model")
    return Model(config, read_safetensors(content))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the output of each text of the command line, or of each line of standard input."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("texts", nargs="*", metavar="TEXT")
    parser.add_argument("--beam-width", type=int, help="1: greedy search")
    parser.add_argument("--n-best", type=int, help="print this many outputs, with their scores")
    parser.add_argument("--model", metavar="DIR", default=Path(__file__).parent)
    given = parser.parse_args(arguments)
    options = {"beam_width": given.beam_width, "n_best": given.n_best}
    model = load(given.model)
    for text in given.texts or (line.rstrip("\r\n") for line in sys.stdin):
        chosen = {name: value for name, value in options.items() if value is not None}
        (prediction,) = model.predict([text], **chosen)
        if len(model.source.split(text)) >= model.source.max_len:
            what = f"truncated to {model.source.max_len} tokens, including SEQUENCE_END: {text}"
            print(what, file=sys.stderr)
        if given.n_best is None:
            print(prediction.text, flush=True)
        for hypothesis in prediction.n_best if given.n_best is not None else []:
            print(f"{hypothesis.score:.4f}\t{hypothesis.text}", flush=True)


if __name__ == "__main__":
    main()
