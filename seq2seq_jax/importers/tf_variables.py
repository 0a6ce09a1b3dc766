"""From the variables of google/seq2seq to our parameters.

The matrix of a TF cell stands on [input; state]; ours is two, because the input's half needs not
wait for the step before (`models.cells`). And what TF keeps apart, the gates and the candidate of
a GRU, lies side by side in our half for the input. So each of our parameters is made of blocks of
rows of TF variables, side by side: `layout` says which, for any model or part of one, as its
classes and sizes demand.
"""

import os
import zipfile
from collections.abc import Iterable, Mapping
from functools import singledispatch
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict

from seq2seq_jax.models import attention, bridges, cells, conv_encoders, decoders, encoders, seq2seq
from seq2seq_jax.models.build import init_params
from seq2seq_jax.models.rnn_layers import RNNCellConfig, RNNStack
from seq2seq_jax.utils.errors import UserError

Params = Mapping[str, Any]
Path = tuple[str, ...]
Variables = Mapping[str, np.ndarray]


class Block(NamedTuple):
    """Rows of a TF variable: "all" of them, the first ones, that stand on the cell's "input", or
    the rest, that stand on its "state"."""

    variable: str
    rows: str = "all"


Layout = dict[Path, list[Block]]
"""For each of our parameters the blocks that make it, side by side."""


def read_variables(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by their names.

    Raises:
      UserError: there is no such file, or it is none.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except OSError as error:
        raise UserError(os.fspath(path), f"cannot be read: {error.strerror or error}") from error
    except (ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(os.fspath(path), "is no .npz file of plain arrays") from error


def import_model(model: nn.Module, variables: Variables, where: str = "variables") -> Params:
    """The parameters of a model from TF variables, named as in a checkpoint of google/seq2seq.

    What only training needed is passed over: the step, the optimizer's slots, a counter of tokens.

    Args:
      where: names the variables in an error, the file that they came from, say.

    Raises:
      UserError: variables are missing, unknown or of another shape; the message lists them all.
    """
    shapes = jax.eval_shape(lambda: init_params(model, seed=0))
    return import_part(model, shapes, weights_only(variables), where)


def weights_only(variables: Variables) -> dict[str, np.ndarray]:
    """The variables of the network, without the prefixes `var/` and `model/<name of the model>/`.

    If any name has the prefix `var/`, names without it are no variables.
    """
    marked = {name[4:]: array for name, array in variables.items() if name.startswith("var/")}
    weights = {}
    for name, array in (marked or variables).items():
        name = name.removesuffix(":0")
        if name.startswith("model/"):
            name = name.split("/", 2)[-1]
        if name == "decode/target_embedding/source_embedding/W":  # so named by `embedding.share`
            name = "decode/target_embedding/W"
        if not _only_for_training(name):
            weights[name] = array
    return weights


def import_part(
    module: nn.Module, shapes: Params, variables: Variables, where: str = "variables"
) -> Params:
    """The parameters of a module, a whole model or a part.

    Args:
      shapes: its parameters, or their shapes as of `jax.eval_shape`.
      variables: TF variables, their names relative to the module.
      where: names the variables in an error.

    Raises:
      UserError: as `import_model`.
    """
    expected = flatten_dict(shapes)
    blocks = layout(module, shapes)
    needed = {block.variable for path in expected for block in blocks[path]}
    problems = [
        *_listed("missing", needed - variables.keys()),
        *_listed("unknown", variables.keys() - needed),
    ]
    if problems:
        raise UserError(where, f"variables do not fit the model; {'; '.join(problems)}")
    params = {path: _assemble(path, blocks[path], expected, variables) for path in expected}
    wrong = {
        f"{block.variable} {_by(variables[block.variable].shape)}"
        for path, array in params.items()
        if array is None or array.shape != expected[path].shape
        for block in blocks[path]
    }
    if wrong:
        problems = _listed("of a shape that the configuration does not give them", wrong)
        raise UserError(where, f"variables do not fit the model; {'; '.join(problems)}")
    return unflatten_dict(params)


@singledispatch
def layout(module: nn.Module, params: Params) -> Layout:
    """Where each of the module's parameters is found; names are relative to the module.

    Raises:
      UserError: the class is none that google/seq2seq knows.
    """
    raise UserError(
        type(module).__name__, "google/seq2seq has no class of this name to import variables from"
    )


@layout.register
def _model(model: seq2seq.BasicSeq2Seq, params: Params) -> Layout:
    if model.share_embedding:
        raise UserError(
            "embedding.share",
            "google/seq2seq has two tables even where it is told to share one;"
            " embedding.share=False would do",
        )
    parts: list[Layout] = [
        {("source_embedding", "embedding"): [Block("encode/source_embedding/W")]},
        {("target_embedding", "embedding"): [Block("decode/target_embedding/W")]},
        *(
            _placed(layout(part, params.get(name, {})), scope, (name,))
            for name, part, scope in (
                ("encoder", model.encoder, "encode/"),
                ("bridge", model.bridge, "decode/"),
                ("decoder", model.decoder, "decode/"),
            )
        ),
    ]
    return _joined(parts)


@layout.register
def _unidirectional(encoder: encoders.UnidirectionalRNNEncoder, params: Params) -> Layout:
    stack = _stack(encoder.rnn_cell, params["forward"])
    return _placed(stack, "forward_rnn_encoder/rnn/", ("forward",))


@layout.register
def _bidirectional(encoder: encoders.BidirectionalRNNEncoder, params: Params) -> Layout:
    return _joined(
        _placed(
            _stack(encoder.rnn_cell, params[name]),
            f"bidi_rnn_encoder/bidirectional_rnn/{scope}/",
            (name,),
        )
        for name, scope in (("forward", "fw"), ("backward", "bw"))
    )


@layout.register
def _stack_bidirectional(encoder: encoders.StackBidirectionalRNNEncoder, params: Params) -> Layout:
    if encoder.rnn_cell.residual_connections and encoder.rnn_cell.num_layers > 1:
        raise UserError(
            "encoder.params.rnn_cell.residual_connections",
            "google/seq2seq builds StackBidirectionalRNNEncoder without them, whatever it is told;"
            " False would give the model that was trained",
        )
    cell_class = encoder.rnn_cell.cell_class
    return _joined(
        _placed(
            _cell(cell_class),
            f"stacked_bidi_rnn_encoder/stack_bidirectional_rnn/cell_{i}/bidirectional_rnn/{scope}/",
            ("stack", f"{name}_{i}"),
        )
        for i in range(encoder.rnn_cell.num_layers)
        for name, scope in (("cell", "fw"), ("backward_cell", "bw"))
    )


@layout.register
def _conv(encoder: conv_encoders.ConvEncoder, params: Params) -> Layout:
    return _joined(
        _placed(
            _dense(f"Conv_{i}" if i else "Conv", f"conv_{i}"), f"conv_encoder/{scope}/", (name,)
        )
        for name, scope in (("attention_cnn", "cnn_a"), ("output_cnn", "cnn_c"))
        for i in range(getattr(encoder, name).layers)
    )


@layout.register(conv_encoders.PoolingEncoder)
@layout.register(bridges.ZeroBridge)
@layout.register(bridges.PassThroughBridge)
def _no_parameters(module: nn.Module, params: Params) -> Layout:
    return {}


@layout.register
def _initial_state(bridge: bridges.InitialStateBridge, params: Params) -> Layout:
    return _dense("fully_connected", "dense")


@layout.register
def _basic_decoder(decoder: decoders.BasicDecoder, params: Params) -> Layout:
    parts = [
        _placed(_stack(decoder.rnn_cell, params["stack"]), "", ("stack",)),
        _dense("fully_connected", "project_logits"),
    ]
    return _placed(_joined(parts), "basic_decoder/decoder/", ())


@layout.register
def _attention_decoder(decoder: decoders.AttentionDecoder, params: Params) -> Layout:
    parts = [
        _placed(_stack(decoder.rnn_cell, params["stack"]), "", ("stack",)),
        _dense("attention_mix", "mix"),
        _dense("logits", "project_logits"),
    ]
    looking_back = layout(decoder.attention, params["attention"])
    return {
        **_placed(_joined(parts), "attention_decoder/decoder/", ()),
        **_placed(looking_back, "attention/", ("attention",)),
    }


@layout.register
def _dot(layer: attention.AttentionLayerDot, params: Params) -> Layout:
    return {**_dense("att_keys", "project_keys"), **_dense("att_query", "project_query")}


@layout.register
def _bahdanau(layer: attention.AttentionLayerBahdanau, params: Params) -> Layout:
    return {
        **_dense("att_keys", "project_keys"),
        **_dense("att_query", "project_query"),
        ("v",): [Block("v_att")],
    }


@layout.register
def _rnn_stack(stack: RNNStack, params: Params) -> Layout:
    return _stack(stack.config, params)


_ONE_MATRIX: Layout = {
    ("input", "kernel"): [Block("weights", "input")],
    ("input", "bias"): [Block("biases")],
    ("recurrent", "kernel"): [Block("weights", "state")],
}

# The scope of each cell, and what may be in it.
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
                (norm, ours): [Block(f"{scope}/{theirs}")]
                for norm, scope in (
                    ("norm_i", "input"),
                    ("norm_j", "transform"),
                    ("norm_f", "forget"),
                    ("norm_o", "output"),
                    ("norm_c", "state"),
                )
                for ours, theirs in (("scale", "gamma"), ("bias", "beta"))
            },
        },
    ),
}


def _stack(rnn_cell: RNNCellConfig, params: Params) -> Layout:
    """Several layers, and what makes their inputs as wide as they are; one stands alone."""
    cell = _cell(rnn_cell.cell_class)
    if rnn_cell.num_layers == 1:
        return _placed(cell, "", ("cell_0",))
    layers = [
        _placed(cell, f"extended_multi_rnn_cell/cell_{i}/", (f"cell_{i}",))
        for i in range(rnn_cell.num_layers)
    ]
    return _joined([*layers, _dense("extended_multi_rnn_cell/input_transform", "input_transform")])


def _cell(cell_class: type[nn.Module]) -> Layout:
    if cell_class not in _CELLS:
        raise UserError(cell_class.__name__, "no cell of google/seq2seq to import variables from")
    scope, inside = _CELLS[cell_class]
    return _placed(inside, scope, ())


def _dense(theirs: str, ours: str) -> Layout:
    return {
        (ours, "kernel"): [Block(f"{theirs}/weights")],
        (ours, "bias"): [Block(f"{theirs}/biases")],
    }


def _placed(inside: Layout, scope: str, path: Path) -> Layout:
    """The layout of a part as it is seen from outside."""
    return {
        (*path, *key): [Block(scope + block.variable, block.rows) for block in blocks]
        for key, blocks in inside.items()
    }


def _joined(parts: Iterable[Layout]) -> Layout:
    return {path: blocks for part in parts for path, blocks in part.items()}


def _assemble(
    path: Path, blocks: list[Block], shapes: Mapping[Path, Any], variables: Variables
) -> np.ndarray | None:
    """One parameter; None if the blocks differ in height, so that none stands beside another."""
    arrays = []
    for block in blocks:
        array = variables[block.variable]
        if block.rows != "all":
            inputs = shapes[(*path[:-2], "input", "kernel")].shape[0]
            array = array[:inputs] if block.rows == "input" else array[inputs:]
        arrays.append(array)
    if len({array.shape[:-1] for array in arrays}) > 1:
        return None
    return np.concatenate(arrays, axis=-1)


def _only_for_training(name: str) -> bool:
    return name in ("Variable", "global_step") or name.startswith("OptimizeLoss/")


def _listed(what: str, names: Iterable[str]) -> list[str]:
    names = sorted(names)
    return [f"{what}: {', '.join(names)}"] if names else []


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
