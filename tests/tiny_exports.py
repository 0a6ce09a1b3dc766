"""Tiny models of many kinds, and sources for them."""

import json
import subprocess
from types import SimpleNamespace

import numpy as np

from seq2seq_jax.config import resolve
from seq2seq_jax.data.bpe import learn_bpe
from seq2seq_jax.data.tokenizers import BPETokenizer, DelimiterTokenizer, Tokenizers
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.export import seq2seq_numpy as program
from seq2seq_jax.export.exported_model import export_model
from seq2seq_jax.storage.workdir import Vocabularies
from tests.documented_commands import ROOT
from tests.tiny_workdir import tiny_run

PROGRAM = ROOT / "seq2seq_jax" / "export" / "seq2seq_web.js"
RNN = "params__rnn_cell"
BEAM = "inference__beam_search"


def both(**values):
    """Return overrides of `rnn_cell` of the encoder and the decoder."""
    return {f"{side}__{RNN}__{k}": v for k, v in values.items() for side in ("encoder", "decoder")}


def cell(name, **params):
    return both(cell_class=name, **{f"cell_params__{key}": value for key, value in params.items()})


def residual(combiner, **more):
    return both(num_layers=3, residual_connections=True, residual_combiner=combiner, **more)


BASIC = {"model": "BasicSeq2Seq"}
WIDE = {f"{BEAM}__beam_width": 4, "inference__n_best": 3}
MODELS = {
    "lstm, bidirectional, Bahdanau": {"encoder__class": "BidirectionalRNNEncoder"},
    "GRU, dot, reversed, length penalty": {
        **cell("GRUCell", activation="relu"),
        **WIDE,
        f"{BEAM}__length_penalty_weight": 0.7,
        "attention__class": "AttentionLayerDot",
        "source__reverse": True,
    },
    "RNN, stack of bidirectional layers, coverage penalty": {
        **cell("BasicRNNCell", activation="sigmoid"),
        **both(num_layers=2),
        **WIDE,
        f"{BEAM}__coverage_penalty_weight": 0.3,
        f"{BEAM}__length_penalty_weight": 1.0,
        "encoder__class": "StackBidirectionalRNNEncoder",
    },
    "layer norm, no attention, pass-through bridge": {
        **BASIC,
        **cell("LayerNormBasicLSTMCell", activation="gelu"),
        "bridge__class": "PassThroughBridge",
    },
    "LSTM with extensions, constraints, shared embedding": {
        **cell("LSTMCell", use_peepholes=True, num_proj=3, proj_clip=0.5, cell_clip=0.9),
        **WIDE,
        "embedding__share": True,
        "inference__min_decode_length": 3,
        "inference__forbid_unk": True,
        "inference__no_repeat_ngram_size": 2,
        "bridge__class": "InitialStateBridge",
        "bridge__params__activation_fn": "elu",
    },
    "residual add": {**residual("add"), **BASIC},
    "residual mean, dense": {**residual("mean", residual_dense=True), **WIDE},
    "residual concat, dense": residual("concat", residual_dense=True),
    "stack of bidirectional layers, residual": {
        **residual("add"),
        "encoder__class": "StackBidirectionalRNNEncoder",
        "bridge__class": "InitialStateBridge",
    },
    "pooling": {"encoder__class": "PoolingEncoder", "encoder__params__pool_size": 3},
    "maximum pooling with strides, no attention": {
        **BASIC,
        "encoder__class": "PoolingEncoder",
        "encoder__params__pooling_fn": "max_pooling1d",
        "encoder__params__pool_size": 4,
        "encoder__params__strides": 3,
        "encoder__params__position_embeddings__combiner_fn": "add",
    },
    "convolutions": {
        "encoder__class": "ConvEncoder",
        "encoder__params__attention_cnn__units": 5,
        "encoder__params__attention_cnn__layers": 2,
        "encoder__params__attention_cnn__kernel_size": 4,
        "encoder__params__output_cnn__units": 5,
        "encoder__params__output_cnn__layers": 3,
        "bridge__class": "InitialStateBridge",
        **WIDE,
    },
}
"""Overrides of `tiny_config` for models that differ in as much as possible."""

TEXTS = ["a b c", "f", "d e a b f", "", "b ? b", "a b c d e f a b c d"]
"""Sources: one is empty, one has a token that the vocabulary lacks, one is truncated."""


def tiny(path, name, **more):
    """Write the workdir of one of `MODELS`; its parameters are large, so that outputs vary."""
    return tiny_run(path, {10: 5}, **MODELS[name], **more)


def bpe_run(path):
    """Write the workdir of a model with BPE, whose codes split the word "aba" and join "cd"."""
    words = DelimiterTokenizer(" ")
    codes = learn_bpe({"abab": 9, "cd": 7, "efef": 4, "abcd": 2}, 6)
    tokenizer = BPETokenizer(words, codes)
    texts = ["abab", "cd", "ef", "efef", "abcd", "a", "b", "f", "e", "@@", "UNK"]
    pieces = {piece for text in texts for piece in tokenizer.split(text)}
    vocabulary = Vocabulary(sorted(pieces | {"a@@", "b@@", "c@@", "d", "e@@"}))
    run = tiny_run(
        path,
        {10: 2},
        vocabularies=Vocabularies(vocabulary, vocabulary),
        subwords__kind="bpe",
        inference__n_best=3,
        inference__beam_search__beam_width=5,
    )
    run.write_tokenizers(Tokenizers(tokenizer, tokenizer))
    return run


def exported(run, precision="float32"):
    """Return what `seq2seq-jax export` writes of a workdir."""
    return export_model(run, resolve(run.config()), precision)


def in_numpy(exported):
    """Return the NumPy program of an export."""
    return program.Model(exported.config, program.read_safetensors(exported.weights))


def in_node(exported, directory, *, wasm=True):
    """Return a function that predicts with the JavaScript program, with or without WebAssembly."""
    (directory / "config.json").write_bytes(exported.config_json)
    (directory / "model.safetensors").write_bytes(exported.weights)
    script = f"""
        const Seq2Seq = require({json.dumps(str(PROGRAM))});
        const fs = require("fs");
        const {{ directory, texts, options }} = JSON.parse(fs.readFileSync(0, "utf-8"));
        const bytes = fs.readFileSync(directory + "/model.safetensors");
        const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
        const config = JSON.parse(fs.readFileSync(directory + "/config.json", "utf-8"));
        const model = new Seq2Seq.Model(config, buffer, {{ wasm: {json.dumps(wasm)} }});
        if ({json.dumps(wasm)} !== (model.weights.wasm !== null)) throw new Error("WebAssembly");
        const start = performance.now();
        const predictions = model.predict(texts, options);
        const seconds = (performance.now() - start) / 1000;
        console.log(JSON.stringify({{ predictions, seconds }}));"""

    def predict(texts, **options):
        given = json.dumps({"directory": str(directory), "texts": texts, "options": options})
        command = ["node", "-e", script]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
        answer = json.loads(done.stdout)
        predict.seconds = answer["seconds"]
        return [
            SimpleNamespace(
                **{
                    **prediction,
                    "n_best": [SimpleNamespace(**one) for one in prediction["n_best"]],
                }
            )
            for prediction in answer["predictions"]
        ]

    return predict


def assert_equal(found, expected):
    """Compare predictions with those of `Predictor`: texts, scores and attention."""
    assert [p.source_tokens for p in found] == [p.source_tokens for p in expected]
    for one, other in zip(found, expected, strict=True):
        assert [h.text for h in one.n_best] == [h.text for h in other.n_best]
        assert [h.tokens for h in one.n_best] == [h.tokens for h in other.n_best]
        assert [h.finished for h in one.n_best] == [h.finished for h in other.n_best]
        for mine, yours in zip(one.n_best, other.n_best, strict=True):
            np.testing.assert_allclose(mine.log_prob, yours.log_prob, atol=1e-4)
            np.testing.assert_allclose(mine.score, yours.score, atol=1e-4)
            if yours.attention is not None:  # Random weights amplify rounding errors.
                np.testing.assert_allclose(mine.attention, yours.attention, atol=1e-3)
