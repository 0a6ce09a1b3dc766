"""Where google/seq2seq stores the parameters of each module.

A TensorFlow cell has one matrix for the concatenation [input; state]. In this package each cell has
two, because the product with the input does not depend on the previous step (see `models.cells`).
Conversely, TensorFlow has separate matrices for the gates and the candidate of a GRU; in this
package both are columns of one input matrix. Therefore each parameter is a concatenation of blocks
of rows of TensorFlow variables, which `variable_layout` lists for any module.
"""

from collections.abc import Iterable, Mapping
from functools import singledispatch
from typing import Any, NamedTuple

from flax import linen as nn

from seq2seq_jax.models import attention, bridges, cells, conv_encoders, decoders, encoders, seq2seq
from seq2seq_jax.models.rnn_layers import RNNCellConfig, RNNStack
from seq2seq_jax.utils.errors import UserError

Params = Mapping[str, Any]
Path = tuple[str, ...]


class Block(NamedTuple):
    """Rows of a TensorFlow variable.

    Attributes:
      variable: The name of the variable.
      rows: "all", or the rows of a cell's matrix that belong to its "input" or to its "state".
    """

    variable: str
    rows: str = "all"


Layout = dict[Path, list[Block]]
"""The blocks that are concatenated to each parameter, by its path."""


@singledispatch
def variable_layout(module: nn.Module, params: Params) -> Layout:
    """Find the variables that hold the parameters of a module.

    Args:
      module: A model or a part of one.
      params: Its parameters, or their shapes.

    Returns:
      The blocks of each parameter, with names relative to the module.

    Raises:
      UserError: google/seq2seq has no such class.
    """
    raise UserError(
        type(module).__name__, "cannot be imported: google/seq2seq has no class of this name"
    )


@variable_layout.register
def _model(model: seq2seq.BasicSeq2Seq, params: Params) -> Layout:
    if model.embedding.share:
        raise UserError(
            "embedding.share",
            "google/seq2seq has two embedding tables even with this option; use"
            " embedding.share=False",
        )
    parts: list[Layout] = [
        {("source_embedding", "embedding"): [Block("encode/source_embedding/W")]},
        {("target_embedding", "embedding"): [Block("decode/target_embedding/W")]},
        *(
            _add_prefix(variable_layout(part, params.get(name, {})), scope, (name,))
            for name, part, scope in (
                ("encoder", model.encoder, "encode/"),
                ("bridge", model.bridge, "decode/"),
                ("decoder", model.decoder, "decode/"),
            )
        ),
    ]
    return _merge(parts)


@variable_layout.register
def _unidirectional(encoder: encoders.UnidirectionalRNNEncoder, params: Params) -> Layout:
    stack = _stack(encoder.rnn_cell, params["forward"])
    return _add_prefix(stack, "forward_rnn_encoder/rnn/", ("forward",))


@variable_layout.register
def _bidirectional(encoder: encoders.BidirectionalRNNEncoder, params: Params) -> Layout:
    return _merge(
        _add_prefix(
            _stack(encoder.rnn_cell, params[name]),
            f"bidi_rnn_encoder/bidirectional_rnn/{scope}/",
            (name,),
        )
        for name, scope in (("forward", "fw"), ("backward", "bw"))
    )


@variable_layout.register
def _stack_bidirectional(encoder: encoders.StackBidirectionalRNNEncoder, params: Params) -> Layout:
    if encoder.rnn_cell.residual_connections and encoder.rnn_cell.num_layers > 1:
        raise UserError(
            "encoder.params.rnn_cell.residual_connections",
            "google/seq2seq ignores this option in StackBidirectionalRNNEncoder; use False to"
            " import the model that was trained",
        )
    cell_class = encoder.rnn_cell.cell_class
    return _merge(
        _add_prefix(
            _cell(cell_class),
            f"stacked_bidi_rnn_encoder/stack_bidirectional_rnn/cell_{i}/bidirectional_rnn/{scope}/",
            ("stack", f"{name}_{i}"),
        )
        for i in range(encoder.rnn_cell.num_layers)
        for name, scope in (("cell", "fw"), ("backward_cell", "bw"))
    )


@variable_layout.register
def _conv(encoder: conv_encoders.ConvEncoder, params: Params) -> Layout:
    return _merge(
        _add_prefix(
            _dense(f"Conv_{i}" if i else "Conv", f"conv_{i}"), f"conv_encoder/{scope}/", (name,)
        )
        for name, scope in (("attention_cnn", "cnn_a"), ("output_cnn", "cnn_c"))
        for i in range(getattr(encoder, name).layers)
    )


@variable_layout.register(conv_encoders.PoolingEncoder)
@variable_layout.register(bridges.ZeroBridge)
@variable_layout.register(bridges.PassThroughBridge)
def _no_parameters(module: nn.Module, params: Params) -> Layout:
    return {}


@variable_layout.register
def _initial_state(bridge: bridges.InitialStateBridge, params: Params) -> Layout:
    return _dense("fully_connected", "dense")


@variable_layout.register
def _basic_decoder(decoder: decoders.BasicDecoder, params: Params) -> Layout:
    parts = [
        _add_prefix(_stack(decoder.rnn_cell, params["stack"]), "", ("stack",)),
        _dense("fully_connected", "project_logits"),
    ]
    return _add_prefix(_merge(parts), "basic_decoder/decoder/", ())


@variable_layout.register
def _attention_decoder(decoder: decoders.AttentionDecoder, params: Params) -> Layout:
    parts = [
        _add_prefix(_stack(decoder.rnn_cell, params["stack"]), "", ("stack",)),
        _dense("attention_mix", "mix"),
        _dense("logits", "project_logits"),
    ]
    attention_layout = variable_layout(decoder.attention, params["attention"])
    return {
        **_add_prefix(_merge(parts), "attention_decoder/decoder/", ()),
        **_add_prefix(attention_layout, "attention/", ("attention",)),
    }


@variable_layout.register
def _dot(layer: attention.AttentionLayerDot, params: Params) -> Layout:
    return {**_dense("att_keys", "project_keys"), **_dense("att_query", "project_query")}


@variable_layout.register
def _bahdanau(layer: attention.AttentionLayerBahdanau, params: Params) -> Layout:
    return {
        **_dense("att_keys", "project_keys"),
        **_dense("att_query", "project_query"),
        ("v",): [Block("v_att")],
    }


@variable_layout.register
def _rnn_stack(stack: RNNStack, params: Params) -> Layout:
    return _stack(stack.config, params)


_ONE_MATRIX: Layout = {
    ("input", "kernel"): [Block("weights", "input")],
    ("input", "bias"): [Block("biases")],
    ("recurrent", "kernel"): [Block("weights", "state")],
}

# The scope of each cell and the layout of its parameters, some of which are optional.
_CELLS: dict[type[nn.Module], tuple[str, Layout]] = {
    cells.BasicRNNCell: ("basic_rnn_cell/", _ONE_MATRIX),
    cells.BasicLSTMCell: ("basic_lstm_cell/", _ONE_MATRIX),
    cells.LSTMCell: (
        "lstm_cell/",
        {
            **_ONE_MATRIX,
            ("peephole_i",): [Block("w_i_diag")],
            ("peephole_f",): [Block("w_f_diag")],
            ("peephole_o",): [Block("w_o_diag")],
            ("projection", "kernel"): [Block("projection/weights")],
        },
    ),
    cells.GRUCell: (
        "gru_cell/",
        {
            ("input", "kernel"): [
                Block("gates/weights", "input"),
                Block("candidate/weights", "input"),
            ],
            ("input", "bias"): [Block("gates/biases"), Block("candidate/biases")],
            ("gates", "kernel"): [Block("gates/weights", "state")],
            ("candidate", "kernel"): [Block("candidate/weights", "state")],
        },
    ),
    cells.LayerNormBasicLSTMCell: (
        "layer_norm_basic_lstm_cell/",
        {
            **_ONE_MATRIX,
            **{
                (norm, parameter): [Block(f"{scope}/{variable}")]
                for norm, scope in (
                    ("norm_i", "input"),
                    ("norm_j", "transform"),
                    ("norm_f", "forget"),
                    ("norm_o", "output"),
                    ("norm_c", "state"),
                )
                for parameter, variable in (("scale", "gamma"), ("bias", "beta"))
            },
        },
    ),
}


def _stack(rnn_cell: RNNCellConfig, params: Params) -> Layout:
    """Return the layout of several layers and their input projection, or of a single layer."""
    cell = _cell(rnn_cell.cell_class)
    if rnn_cell.num_layers == 1:
        return _add_prefix(cell, "", ("cell_0",))
    layers = [
        _add_prefix(cell, f"extended_multi_rnn_cell/cell_{i}/", (f"cell_{i}",))
        for i in range(rnn_cell.num_layers)
    ]
    return _merge([*layers, _dense("extended_multi_rnn_cell/input_transform", "input_transform")])


def _cell(cell_class: type[nn.Module]) -> Layout:
    if cell_class not in _CELLS:
        raise UserError(cell_class.__name__, "cannot be imported: google/seq2seq has no such cell")
    scope, inside = _CELLS[cell_class]
    return _add_prefix(inside, scope, ())


def _dense(variable: str, parameter: str) -> Layout:
    return {
        (parameter, "kernel"): [Block(f"{variable}/weights")],
        (parameter, "bias"): [Block(f"{variable}/biases")],
    }


def _add_prefix(inside: Layout, scope: str, path: Path) -> Layout:
    """Return the layout of a part relative to the module that contains it."""
    return {
        (*path, *key): [Block(scope + block.variable, block.rows) for block in blocks]
        for key, blocks in inside.items()
    }


def _merge(parts: Iterable[Layout]) -> Layout:
    return {path: blocks for part in parts for path, blocks in part.items()}
