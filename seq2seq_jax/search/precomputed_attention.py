"""The step of an attention decoder with fewer multiplications, for searches.

The context is an average of the memory's values, and it is only ever multiplied by two matrices:
the first cell's input weights and those of the layer that mixes it with the output. So the values
are multiplied by both once a sentence, and the average is taken of the products:

  (sum_s weight_s value_s) W = sum_s weight_s (value_s W)

In the same way each word of a small vocabulary is multiplied by the cell's input weights once; and
with dot attention each key by the weights of the query:

  key . (W query + b) = (key W^T) . query + key . b

The results are those of the model's own step, up to rounding.
"""

from typing import Any, TypeGuard

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from seq2seq_jax.models import cells
from seq2seq_jax.models.attention import AttentionLayerDot, Memory, attend
from seq2seq_jax.models.decoders import AttentionDecoder
from seq2seq_jax.models.seq2seq import AttentionSeq2Seq, reverse_sequences
from seq2seq_jax.search.types import StepFn

__all__ = ["can_fold", "fold"]

Array = jax.Array

_CELLS = tuple(getattr(cells, name) for name in cells.__all__)


class _Folded(struct.PyTreeNode):
    """What a step needs besides the state. G is the width of the first cell's projected input, D
    that of the stack's output.

    Attributes:
      memory: its values are [B, S, G + D]; with `score_bias` its keys are [B, S, D].
      score_bias: [B, S], what is added to the products of keys and the stack's output; None: the
        output is projected to a query.
      words: [V, G], each word's share of the projected input, or the embeddings [V, E].
      word_kernel: [E, G], what embeddings are still to be multiplied by; None for shares.
      input_bias: [G], or 0 where the cell has none; part of the shares.
      mix_kernel: [D, D], for the stack's output.
      mix_bias: [D].
    """

    memory: Memory
    score_bias: Array | None
    words: Array
    word_kernel: Array | None
    input_bias: Array
    mix_kernel: Array
    mix_bias: Array


def can_fold(model: nn.Module, memory: Memory | None) -> TypeGuard[AttentionSeq2Seq]:
    """Whether `fold` knows the model's parts, and whether there is something to gain: in long
    sources the average of the wider products costs more than it saves."""
    if type(model) is not AttentionSeq2Seq or type(model.decoder) is not AttentionDecoder:
        return False
    rnn_cell = model.decoder.rnn_cell
    residual = rnn_cell.residual_connections and rnn_cell.num_layers > 1
    if residual or rnn_cell.cell_class not in _CELLS:
        return False
    assert memory is not None
    return memory.values.shape[1] <= memory.values.shape[2]


def fold(
    model: AttentionSeq2Seq,
    params: Any,
    memory: Memory,
    state: Any,
    source_len: Array,
    *,
    max_decoded_tokens: int,
) -> tuple[StepFn, Any]:
    """The step function that equals `model.step`, and its first state.

    Args:
      memory, state: from `model.encode_and_init`.
      source_len: [B].
      max_decoded_tokens: the maximum number of tokens that the search feeds; a much smaller
        vocabulary is multiplied beforehand.
    """
    variables = {"params": params}
    share_words = 4 * model.target_vocab_size <= max_decoded_tokens
    folded: Any = model.apply(variables, memory, share_words, method=_fold)
    layers, context = state
    fed = jnp.zeros([len(context), folded.input_bias.shape[-1]], context.dtype)

    def step(tokens: Array, state: Any) -> tuple[Array, Any, Array]:
        stepped: Any = model.apply(variables, tokens, state, folded, method=_step)
        logits, state, attention = stepped
        if model.reverse_source:
            lengths = jnp.repeat(source_len, len(attention) // len(source_len))
            attention = reverse_sequences(attention, lengths)
        return logits, state, attention

    return step, (layers, fed)


def _fold(model: AttentionSeq2Seq, memory: Memory, share_words: bool) -> _Folded:
    """Runs inside the bound model."""
    decoder = model.decoder
    of_input = decoder.stack.cells[0].input.variables["params"]
    of_mix = decoder.mix.variables["params"]
    table = model.source_embedding if model.share_embedding else model.target_embedding
    words = table.embedding
    input_kernel, mix_kernel = of_input["kernel"], of_mix["kernel"]
    input_bias = of_input.get("bias", jnp.zeros(input_kernel.shape[-1]))
    embedding_dim, units = words.shape[-1], decoder.stack.units
    for_context = [input_kernel[embedding_dim:], mix_kernel[units:]]
    word_kernel = input_kernel[:embedding_dim]
    memory = memory.replace(values=memory.values @ jnp.concatenate(for_context, axis=-1))
    score_bias = None
    _, positions, key_width = memory.keys.shape
    not_dearer = positions * units <= (positions + units) * key_width
    if type(decoder.attention) is AttentionLayerDot and not_dearer:
        of_query = decoder.attention.project_query.variables["params"]
        score_bias = memory.keys @ of_query["bias"]
        memory = memory.replace(keys=memory.keys @ of_query["kernel"].T)
    return _Folded(
        memory=memory,
        score_bias=score_bias,
        words=words @ word_kernel + input_bias if share_words else words,
        word_kernel=None if share_words else word_kernel,
        input_bias=input_bias,
        mix_kernel=mix_kernel[:units],
        mix_bias=of_mix["bias"],
    )


def _step(
    model: AttentionSeq2Seq, tokens: Array, state: Any, folded: _Folded
) -> tuple[Array, Any, Array]:
    """Runs inside the bound model: compare `AttentionDecoder.step` and `RNNStack.step`."""
    decoder = model.decoder
    layers, fed = state
    words = folded.words[tokens]
    if folded.word_kernel is not None:
        words = words @ folded.word_kernel + folded.input_bias
    layer, output = decoder.stack.cells[0](layers[0], words + fed)
    new_layers = [layer]
    for cell, layer in zip(decoder.stack.cells[1:], layers[1:], strict=True):
        layer, output = cell(layer, cell.project(output))
        new_layers.append(layer)
    if folded.score_bias is None:
        weights, context = decoder.attention(output, folded.memory)
    else:
        queries = output.reshape(len(folded.memory.keys), -1, output.shape[-1])
        scores = jnp.einsum("bkd,bsd->bks", queries, folded.memory.keys)
        weights, context = attend(scores + folded.score_bias[:, None], folded.memory)
    fed, seen = jnp.split(context, [fed.shape[-1]], axis=-1)
    mixed = jnp.tanh(output @ folded.mix_kernel + folded.mix_bias + seen)
    return decoder.project_logits(mixed), (tuple(new_layers), fed), weights
