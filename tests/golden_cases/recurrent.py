"""Cells and stacks of them, encoders, attention and bridges."""

import jax.numpy as jnp
import numpy as np

from seq2seq_jax.importers.tf_variables import import_part
from seq2seq_jax.models import attention as attention_layers
from seq2seq_jax.models.conv_encoders import position_encoding
from seq2seq_jax.models.rnn_layers import RNNStack
from tests.golden_cases.golden_file import GoldenFile
from tests.golden_cases.networks import like_initial_state, network, quick_jit, shapes_of


def compare_cell(golden: GoldenFile) -> None:
    """One step of a cell, or of several layers of them."""
    settings = {"decoder.params": {"rnn_cell": golden.hparams}, "bridge.class": "ZeroBridge"}
    decoder = network("BasicSeq2Seq", settings).model.decoder
    stack = RNNStack(decoder.rnn_cell)
    x = golden["in/x"]
    state = like_initial_state(stack, "initial_state", golden.leaves("in/state"))
    shapes = shapes_of(stack, state, x, method="step")
    params = import_part(stack, shapes, golden.variables())
    new_state, output = stack.apply({"params": params}, state, x, method="step")
    golden.check("out/output", output)
    golden.check_tree("out/new_state", new_state)


def compare_encoder(golden: GoldenFile) -> None:
    inputs, lengths = golden["in/inputs"], golden["in/sequence_length"]
    settings = {
        "encoder.class": golden.kind,
        "encoder.params": golden.hparams,
        "bridge.class": "ZeroBridge",
        "source.max_seq_len": inputs.shape[1],
    }
    encoder = network("BasicSeq2Seq", settings).model.encoder
    encoded = _encode(encoder, inputs, lengths, golden.variables())
    golden.check("out/attention_values_length", encoded.attention_values_length)
    where = ...
    if not hasattr(encoder, "rnn_cell"):
        # The original's looks at the padding; where there is none, ours has to agree, and a row of
        # ours does not depend on it.
        where = lengths == inputs.shape[1]
        _check_padding_does_not_matter(encoder, golden, encoded)
    golden.check("out/outputs", encoded.outputs, where)
    golden.check("out/attention_values", encoded.attention_values, where)
    golden.check_tree("out/final_state", encoded.final_state, where)


def compare_attention(golden: GoldenFile) -> None:
    layer = getattr(attention_layers, golden.kind)(num_units=golden.hparams["num_units"])
    keys, values, lengths = (golden[f"in/{name}"] for name in ("keys", "values", "values_length"))

    def look_back(layer, query):
        return layer(query, layer.memory(keys, values, lengths))

    query = golden["in/query"]
    shapes = shapes_of(layer, query, method=look_back)
    params = import_part(layer, shapes, golden.variables("attention"))
    scores, context = layer.apply({"params": params}, query, method=look_back)
    golden.check("out/scores", scores)
    golden.check("out/context", context)


def compare_bridge(golden: GoldenFile) -> None:
    hparams = golden.hparams

    def rnn_cell(side: str) -> dict:
        params = {"num_units": hparams[f"{side}_units"]}
        layers = hparams[f"{side}_layers"]
        return {"cell_class": hparams["cell"], "cell_params": params, "num_layers": layers}

    settings = {
        "encoder.class": hparams["encoder"],
        "encoder.params": {"rnn_cell": rnn_cell("enc")},
        "bridge.class": hparams["bridge"],
        "bridge.params": hparams["bridge_params"],
        "decoder.params": {"rnn_cell": rnn_cell("dec")},
    }
    model = network("BasicSeq2Seq", settings).model
    inputs, lengths = golden["in/inputs"], golden["in/sequence_length"]
    variables = golden.variables()
    in_bridge = golden.variables("bridge")
    in_encoder = {n: a for n, a in variables.items() if n.removeprefix("bridge/") not in in_bridge}
    encoded = _encode(model.encoder, inputs, lengths, in_encoder)
    golden.check_tree("out/encoder/final_state", encoded.final_state)

    zeros = [np.zeros_like(part) for part in golden.leaves("out/initial_state")]
    zeros = like_initial_state(model.decoder, "zero_state", zeros)
    shapes = shapes_of(model.bridge, encoded, zeros)
    params = import_part(model.bridge, shapes, in_bridge)
    golden.check_tree("out/initial_state", model.bridge.apply({"params": params}, encoded, zeros))


def _check_padding_does_not_matter(encoder, golden: GoldenFile, encoded) -> None:
    for row, length in enumerate(golden["in/sequence_length"]):
        inputs = golden["in/inputs"][row : row + 1, :length]
        if length == 0:
            continue
        alone = _encode(encoder, inputs, np.array([length]), golden.variables())
        np.testing.assert_allclose(alone.final_state[0], encoded.final_state[row], atol=1e-5)
        for name in ("outputs", "attention_values"):
            ours = getattr(alone, name)[0]
            padded = getattr(encoded, name)[row, : len(ours)]
            np.testing.assert_allclose(ours, padded, atol=1e-5, err_msg=name)


def compare_position_encoding(golden: GoldenFile) -> None:
    for name, table in golden.under("out").items():
        encode = quick_jit(position_encoding, static_argnums=(0, 1))
        golden.check(f"out/{name}", encode(*table.shape))


def _encode(encoder, inputs, lengths, variables):
    inputs, lengths = jnp.asarray(inputs), jnp.asarray(lengths)
    params = import_part(encoder, shapes_of(encoder, inputs, lengths), variables)
    return quick_jit(encoder.apply)({"params": params}, inputs, lengths)
