"""The models: embeddings, encoder, bridge and decoder in one module."""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float, Int, PyTree, Shaped

from seq2seq_jax.data.corpus import SourceConfig
from seq2seq_jax.models.attention import Memory
from seq2seq_jax.models.decoders import DecoderBase, DecoderStep
from seq2seq_jax.models.encoders import EncoderOutput
from seq2seq_jax.models.features import (
    FeatureMemory,
    FeatureReader,
    Source,
    SourceWithFeatures,
    StepMemory,
    batch_source,
    join_rows,
    mean_features,
    source_ids,
)
from seq2seq_jax.models.functions import symmetric_uniform
from seq2seq_jax.models.model_config import (
    AttentionSeq2SeqConfig,
    BasicSeq2SeqConfig,
    EmbeddingConfig,
)
from seq2seq_jax.ops.rnn_scan import rnn_scan
from seq2seq_jax.utils.errors import UserError

State: TypeAlias = PyTree


class ModelOutput(struct.PyTreeNode):
    """The output of a model under teacher forcing.

    Attributes:
      logits: [B, T, V], of the next token at each of the T positions.
      attention_scores: [B, T, S], the attention weights on the source in its original order, and on
        features behind it if there are any; S is 0 without attention.
    """

    logits: Array
    attention_scores: Array


class BasicSeq2Seq(nn.Module):
    """A model whose decoder sees of the source only the encoder's final state.

    Attributes:
      encoder: Maps embedded sources to an `EncoderOutput`.
      bridge: Maps that to the initial state of the decoder's RNN.
      decoder: Maps embedded target tokens to logits, step by step.
      target_vocab_size: V.
      embedding: The parameters of the embedding tables.
      source_vocab_size: Number of source tokens.
      reverse_source: Whether to reverse each source within its own length, which counts the
        SEQUENCE_END at its end (Sutskever et al. 2014, arXiv:1409.3215).
      remat: Argument of `ops.rnn_scan.rnn_scan` for the decoder; encoders have their own.
      features: Reads the features of the source; None: the model reads none.
    """

    config_class: ClassVar[type] = BasicSeq2SeqConfig
    """Declares the slots and groups of the configuration that the model has."""
    problem: ClassVar[str] = "seq2seq_jax.problems.text.TextProblem"
    """The path of the problem that the model solves; see `problems.protocol`."""
    has_attention: ClassVar[bool] = False

    encoder: nn.Module
    bridge: nn.Module
    decoder: nn.Module
    target_vocab_size: int
    embedding: EmbeddingConfig = EmbeddingConfig()
    source_vocab_size: int = 0
    reverse_source: bool = SourceConfig.reverse
    remat: bool = False
    features: FeatureReader | None = None

    @classmethod
    def source_options(cls, config: Any, source_vocab_size: int) -> Mapping[str, Any]:
        """Return the constructor arguments that describe the source.

        Args:
          config: A resolved configuration.
          source_vocab_size: Number of source tokens.

        Returns:
          Keyword arguments of the constructor.
        """
        return {
            "source_vocab_size": source_vocab_size,
            "reverse_source": config.source.reverse,
        }

    @staticmethod
    def encoder_inputs(
        batch: Mapping[str, Any],
    ) -> tuple[Source, Int[Array, " B"]]:
        """Return the source of a batch and its lengths [B], the first arguments of `__call__`.

        The rest of the program passes the source on without looking into it. A model that needs
        more of a batch returns a pytree.

        Args:
          batch: See `batch_inputs.Batch`.
        """
        return batch_source(batch), batch["source_len"]

    @property
    def attends_features(self) -> bool:
        """Whether attention weights have columns of features, after those of the source."""
        return self.has_attention and self.features is not None and self.features.attended

    def setup(self) -> None:
        """Create the submodules."""
        init = symmetric_uniform(self.embedding.init_scale)
        self.source_embedding = nn.Embed(
            self.source_vocab_size, self.embedding.dim, embedding_init=init
        )
        if not self.embedding.share:
            self.target_embedding = nn.Embed(
                self.target_vocab_size, self.embedding.dim, embedding_init=init
            )
        if self.features is not None and self.features.combine == "attention":
            self.features_memory = FeatureMemory()

    def __call__(
        self,
        source: Source,
        source_len: Int[Array, " B"],
        target_inputs: Int[Array, "B T"],
        *,
        train: bool = False,
    ) -> ModelOutput:
        """Compute the logits of a batch under teacher forcing.

        Args:
          source: As in `encode`.
          source_len: [B].
          target_inputs: [B, T], SEQUENCE_START and all tokens of the target but the last.
          train: Whether to apply dropout.

        Returns:
          The `ModelOutput`.
        """
        steps = self.decode(source, source_len, target_inputs, train=train)
        scores = self._unreverse(steps.attention_scores, source_len)
        return ModelOutput(self.decoder.logits(steps), scores)

    def pre_logits(
        self,
        source: Source,
        source_len: Int[Array, " B"],
        target_inputs: Int[Array, "B T"],
        *,
        train: bool = False,
    ) -> Float[Array, "B T D"]:
        """Compute the input of the dense layer to the vocabulary under teacher forcing.

        Args:
          source: As in `encode`.
          source_len: [B].
          target_inputs: [B, T], as in `__call__`.
          train: Whether to apply dropout.

        Returns:
          [B, T, D]. The logits are its product with `logits_weights`.
        """
        steps = self.decode(source, source_len, target_inputs, train=train)
        pre_logits: Array = self.decoder.pre_logits(steps)
        return pre_logits

    @property
    def has_pre_logits(self) -> bool:
        """Whether the decoder derives from `DecoderBase`, as `pre_logits` requires."""
        return isinstance(self.decoder, DecoderBase)

    def logits_weights(self) -> tuple[Float[Array, "D V"], Float[Array, " V"]]:
        """Return the kernel [D, V] and the bias [V] of the dense layer to the vocabulary."""
        params = self.decoder.project_logits.variables["params"]
        return params["kernel"], params["bias"]

    def decode(
        self,
        source: Source,
        source_len: Int[Array, " B"],
        target_inputs: Int[Array, "B T"],
        *,
        train: bool = False,
    ) -> DecoderStep:
        """Run the decoder over a target under teacher forcing.

        Args:
          source: As in `encode`.
          source_len: [B].
          target_inputs: [B, T], as in `__call__`.
          train: Whether to apply dropout.

        Returns:
          The outputs of all steps, each [B, T, ...].
        """
        memory, state = self.encode_and_init(source, source_len, train=train)
        embedded, memory = self._decoder_inputs(target_inputs, memory)
        inputs = jnp.swapaxes(embedded, 0, 1)

        def step(decoder: nn.Module, state: State, x: Array, memory: PyTree) -> PyTree:
            return decoder.step(state, x, memory, train=train)

        _, steps = rnn_scan(step, self.decoder, state, inputs, memory, remat=self.remat)
        batch_major: DecoderStep = jax.tree.map(lambda y: jnp.swapaxes(y, 0, 1), steps)
        return batch_major

    def encode_and_init(
        self, source: Source, source_len: Int[Array, " B"], *, train: bool = False
    ) -> tuple[Memory | StepMemory | None, State]:
        """Encode the source and compute the decoder's initial state.

        Args:
          source: As in `encode`.
          source_len: [B].
          train: Whether to apply dropout.

        Returns:
          What the decoder attends to at every step (None without attention), and the state.
        """
        encoded = self.encode(source, source_len, train=train)
        combine = "none" if self.features is None else self.features.combine
        attended = encoded
        if combine == "attention":
            attended = self.features_memory(encoded, self._encode_features(source, train))
        memory = self._memory(attended)
        zero_state = self.decoder.zero_state(source_len.shape[0])
        state = self.decoder.initial_state(self.bridge(encoded, zero_state), memory)
        if combine == "decoder":
            return StepMemory(memory, mean_features(self._encode_features(source, train))), state
        return memory, state

    def encode(
        self, source: Source, source_len: Int[Array, " B"], *, train: bool = False
    ) -> EncoderOutput:
        """Encode the source, with the features that are joined to it.

        Args:
          source: Token ids [B, S], or these with features.
          source_len: [B].
          train: Whether to apply dropout.

        Returns:
          The encoder's output.
        """
        ids, lengths = source_ids(source), source_len
        if self.reverse_source:
            ids = reverse_sequences(ids, source_len)
        embedded = self.source_embedding(ids)
        if self.features is not None and self.features.combine == "source":
            features = self._encode_features(source, train)
            embedded = join_rows(
                embedded, lengths, features.outputs, features.attention_values_length
            )
            lengths = lengths + features.attention_values_length
        encoded: EncoderOutput = self.encoder(embedded, lengths, train=train)
        return encoded

    def dummy_inputs(self) -> tuple[Source, Int[Array, " B"]]:
        """Return a source and its length of minimal size, for initialization."""
        ids, lengths = jnp.zeros((1, 2), jnp.int32), jnp.full((1,), 2)
        return (ids if self.features is None else SourceWithFeatures(ids, ids, lengths)), lengths

    def step(
        self,
        tokens: Int[Array, " N"],
        state: State,
        memory: Memory | StepMemory | None,
        source_len: Int[Array, " B"],
    ) -> tuple[Float[Array, "N V"], State, Float[Array, "N S"]]:
        """Compute one decoder step of a search.

        Args:
          tokens: [N], N = B K: the last tokens of K hypotheses for each source.
          state: Their state, from `encode_and_init` or the step before.
          memory: From `encode_and_init`.
          source_len: [B].

        Returns:
          Logits [N, V], the new state, and the attention weights [N, S] on the source in its
          original order.
        """
        inputs, memory = self._decoder_inputs(tokens, memory)
        state, step = self.decoder.step(state, inputs, memory)
        scores = self._unreverse(step.attention_scores[:, None], source_len)[:, 0]
        return self.decoder.logits(step), state, scores

    def _memory(self, encoded: EncoderOutput) -> Memory | None:
        return None

    def _encode_features(self, source: Source, train: bool) -> EncoderOutput:
        assert self.features is not None
        if not isinstance(source, SourceWithFeatures):
            raise TypeError("the model reads features, but its source is an array without any.")
        encoded: EncoderOutput = self.features(source, train=train)
        return encoded

    def _decoder_inputs(
        self, ids: Array, memory: Memory | StepMemory | None
    ) -> tuple[Array, Memory | None]:
        """Return embedded tokens [B, T, E] or [N, E], with features if every step reads them.

        Also return the memory without these features.
        """
        embedded = self._embed_target(ids)
        if not isinstance(memory, StepMemory):
            return embedded, memory
        features = memory.features
        if ids.ndim == 2:
            shape = (*ids.shape, features.shape[-1])
            features = jnp.broadcast_to(features[:, None], shape)
        else:
            features = jnp.repeat(features, ids.shape[0] // features.shape[0], axis=0)
        return jnp.concatenate([embedded, features], axis=-1), memory.attended

    def _embed_target(self, ids: Array) -> Array:
        table = self.source_embedding if self.embedding.share else self.target_embedding
        return table(ids)

    def _unreverse(self, scores: Array, source_len: Array) -> Array:
        """Reorder attention weights [N, T, S], N = B K, as the source was before its reversal."""
        if not self.reverse_source or scores.shape[-1] == 0:
            return scores
        lengths = jnp.repeat(source_len, scores.shape[0] // source_len.shape[0])
        return reverse_sequences(scores, lengths)


class AttentionSeq2Seq(BasicSeq2Seq):
    """A model whose decoder attends to all positions of the source.

    Bahdanau et al. 2014, arXiv:1409.0473. Its `decoder` is an `AttentionDecoder`.
    """

    config_class: ClassVar[type] = AttentionSeq2SeqConfig
    has_attention: ClassVar[bool] = True

    def _memory(self, encoded: EncoderOutput) -> Memory:
        keys, values = encoded.outputs.shape[1], encoded.attention_values.shape[1]
        if keys != values:
            raise UserError(
                "encoder.params.strides",
                "attention needs an encoder output at every position, but strides above 1 skip"
                " some; use strides=1, or model=BasicSeq2Seq",
            )
        memory: Memory = self.decoder.attention.memory(
            encoded.outputs, encoded.attention_values, encoded.attention_values_length
        )
        return memory


def reverse_sequences(
    x: Shaped[Array, "*batch S"], lengths: Int[Array, " B"]
) -> Shaped[Array, "*batch S"]:
    """Reverse the last axis within the length of each row; padding stays where it is.

    Args:
      x: [B, ..., S].
      lengths: [B].

    Returns:
      An array like x.

    Example:
      >>> import jax.numpy as jnp
      >>> from seq2seq_jax.models.seq2seq import reverse_sequences
      >>> reverse_sequences(jnp.array([[1, 2, 3, 0]]), jnp.array([3])).tolist()
      [[3, 2, 1, 0]]
    """
    positions = jnp.arange(x.shape[-1])
    lengths = lengths.reshape((-1,) + (1,) * (x.ndim - 1))
    mirrored = jnp.where(positions < lengths, lengths - 1 - positions, positions)
    return jnp.take_along_axis(x, jnp.broadcast_to(mirrored, x.shape), axis=-1)
