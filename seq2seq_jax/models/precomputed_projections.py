"""The decoder step of a search, with the projections of what does not change computed in advance.

Reference: `model.step`. Fast, for models with attention: the context is an average of the memory's
values, and it is only ever multiplied by two matrices, the input weights of the first cell and
those of the layer `mix`. So the values are multiplied by both once for a source, and the average is
taken of the products:

  (sum_s weight_s value_s) W = sum_s weight_s (value_s W)

In the same way, each token of a small vocabulary is multiplied by the input weights once; and with
dot-product attention, each key is multiplied by the weights of the query:

  key . (W query + b) = (key W^T) . query + key . b

The model's own `step` runs on such a memory. Only its layers that would multiply by these matrices
are replaced, by `nn.intercept_methods`. The results agree up to rounding.
"""

from collections.abc import Callable
from typing import Any, TypeGuard

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Int, PyTree

from seq2seq_jax.models import cells
from seq2seq_jax.models.attention import AttentionLayerDot, Memory
from seq2seq_jax.models.decoders import AttentionDecoder
from seq2seq_jax.models.features import Source, StepMemory
from seq2seq_jax.models.seq2seq import AttentionSeq2Seq
from seq2seq_jax.ops.kernels import active_kernels
from seq2seq_jax.ops.layers import Path

StepFn = Callable[[Array, PyTree], tuple[Array, PyTree, Array]]
"""(tokens [N], state) -> (logits [N, V], new state, attention weights [N, S])."""
Replacement = Callable[..., Array]

_CELLS = (
    cells.BasicLSTMCell,
    cells.BasicRNNCell,
    cells.GRUCell,
    cells.LSTMCell,
    cells.LayerNormBasicLSTMCell,
)
_INPUT = ("decoder", "stack", "cell_0", "input")
_MIX = ("decoder", "mix")
_ATTENTION = ("decoder", "attention")
_QUERY = (*_ATTENTION, "project_query")


def make_step(
    model: Any,
    params: PyTree,
    source: Source,
    source_len: Int[Array, " B"],
    *,
    max_decoded_tokens: int,
) -> tuple[StepFn, PyTree]:
    """Encode the sources and return the decoder's step function.

    Args:
      model: A model.
      params: Its parameters.
      source: As in `model.encode`.
      source_len: [B].
      max_decoded_tokens: The maximum number of tokens, of all hypotheses and steps, that are fed to
        the step function. A vocabulary much smaller than that is projected in advance.

    Returns:
      The step function and its initial state.
    """
    variables = {"params": params}
    memory, state = model.apply(variables, source, source_len, method="encode_and_init")
    if active_kernels() == "fast" and can_precompute(model, memory):
        return _precomputed_step(model, params, memory, state, source_len, max_decoded_tokens)

    def step(tokens: Array, state: PyTree) -> tuple[Array, PyTree, Array]:
        result: PyTree = model.apply(variables, tokens, state, memory, source_len, method="step")
        logits, state, attention = result
        return logits, state, attention

    return step, state


def can_precompute(
    model: nn.Module, memory: Memory | StepMemory | None
) -> TypeGuard[AttentionSeq2Seq]:
    """Return whether the projections can be precomputed, and whether that is faster.

    The model must consist of built-in classes, without residual connections. In long sources the
    average of the products, which are wider than the values, takes longer than what is saved.

    Args:
      model: A model.
      memory: Its memory, from `encode_and_init`; None without attention.
    """
    if type(model) is not AttentionSeq2Seq or type(model.decoder) is not AttentionDecoder:
        return False
    config = model.decoder.rnn_cell
    residual = config.residual_connections and config.num_layers > 1
    if residual or config.cell_class not in _CELLS:
        return False
    memory = memory.attended if isinstance(memory, StepMemory) else memory
    assert memory is not None
    return memory.values.shape[1] <= memory.values.shape[2]


def _precomputed_step(
    model: AttentionSeq2Seq,
    params: PyTree,
    memory: Memory | StepMemory,
    state: PyTree,
    source_len: Array,
    max_decoded_tokens: int,
) -> tuple[StepFn, PyTree]:
    small_vocabulary = 4 * model.target_vocab_size <= max_decoded_tokens
    memory, replacements = _precompute(model, params, memory, small_vocabulary)
    width = _get(params, _INPUT)["kernel"].shape[-1]

    def intercept(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        replacement = replacements.get((*context.module.path, context.method_name))
        return call(*args, **kwargs) if replacement is None else replacement(*args)

    def step(tokens: Array, state: PyTree) -> tuple[Array, PyTree, Array]:
        with nn.intercept_methods(intercept):
            result: PyTree = model.apply(
                {"params": params}, tokens, state, memory, source_len, method="step"
            )
        logits, (layers, context), attention = result
        return logits, (layers, context[:, :width]), attention  # The next step needs no more.

    layers, context = state
    return step, (layers, jnp.zeros([len(context), width], context.dtype))


def _precompute(
    model: AttentionSeq2Seq, params: PyTree, memory: Memory | StepMemory, small_vocabulary: bool
) -> tuple[Memory | StepMemory, dict[Path, Replacement]]:
    """Project what does not change.

    Returns:
      A memory whose values are [B, S, G + D]: their projections by the first cell's input layer [G]
      and by `mix` [D]; features that every step reads are [B, G]. And the methods that replace
      those of the model, by path and name.
    """
    features = None
    if isinstance(memory, StepMemory):
        features, attended = memory.features, memory.attended
        assert attended is not None
        memory = attended
    input_layer, mix, query = (_get(params, path) for path in (_INPUT, _MIX, _QUERY))
    embedding = "source_embedding" if model.embedding.share else "target_embedding"
    table = params[embedding]["embedding"]
    num_rows = [table.shape[-1], 0 if features is None else features.shape[-1]]
    token_kernel, feature_kernel, context_kernel = jnp.split(
        input_layer["kernel"], [num_rows[0], sum(num_rows)]
    )
    units = mix["kernel"].shape[0] - memory.values.shape[-1]
    output_kernel, context_mix = jnp.split(mix["kernel"], [units])
    width = context_kernel.shape[-1]
    projections = jnp.concatenate([context_kernel, context_mix], axis=-1)
    memory = memory.replace(values=memory.values @ projections)

    def project_tokens(embedded: Array) -> Array:
        return jnp.asarray(embedded @ token_kernel + input_layer.get("bias", 0))

    def apply_input(x: Array) -> Array:
        projected = 1 if features is None else 2  # of the context, and of features before it
        tokens, *others = jnp.split(
            x, [x.shape[-1] - i * width for i in range(projected, 0, -1)], axis=-1
        )
        return sum(others, tokens if small_vocabulary else project_tokens(tokens))

    def apply_mix(x: Array) -> Array:
        output, _, context = jnp.split(x, [units, units + width], axis=-1)
        return jnp.asarray(output @ output_kernel + mix["bias"] + context)

    replacements: dict[Path, Replacement] = {
        (*_INPUT, "__call__"): apply_input,
        (*_MIX, "__call__"): apply_mix,
    }
    if small_vocabulary:
        projected_table = project_tokens(table)
        replacements[embedding, "__call__"] = lambda tokens: projected_table[tokens]

    _, positions, key_width = memory.keys.shape
    is_cheaper = positions * units <= (positions + units) * key_width
    if type(model.decoder.attention) is AttentionLayerDot and is_cheaper:
        bias = memory.keys @ query["bias"]
        memory = memory.replace(keys=memory.keys @ query["kernel"].T)
        replacements[*_QUERY, "__call__"] = lambda output: output
        replacements[*_ATTENTION, "scores"] = lambda output, memory: (
            jnp.einsum("bka,bsa->bks", output, memory.keys) + bias[:, None]
        )
    if features is None:
        return memory, replacements
    return StepMemory(memory, features @ feature_kernel), replacements


def _get(params: PyTree, path: Path) -> PyTree:
    for name in path:
        params = params[name]
    return params
