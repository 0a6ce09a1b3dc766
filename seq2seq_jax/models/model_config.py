"""The configuration keys of the models: their slots for components, and their groups."""

from dataclasses import dataclass
from typing import Annotated

from seq2seq_jax.data.augmentation import AugmentationConfig
from seq2seq_jax.data.corpus import SourceConfig
from seq2seq_jax.data.subwords import SubwordConfig
from seq2seq_jax.schema.parameters import Choice, ClassOf
from seq2seq_jax.schema.rules import INIT_SCALE, WIDTH


@dataclass(frozen=True)
class EmbeddingConfig:
    """The parameters `embedding.*` of a model.

    Attributes:
      dim: Width of the token embeddings.
      share: Use one embedding table for source and target.
      init_scale: Embeddings are initialized uniformly in [-scale, scale].
    """

    dim: Annotated[int, WIDTH] = 100
    share: bool = False
    init_scale: Annotated[float, INIT_SCALE] = 0.04


EncoderChoice = Annotated[Choice, ClassOf("encoder", modality="text"), "The encoder."]
BridgeChoice = Annotated[
    Choice, ClassOf("bridge"), "The bridge, which computes the initial state of the decoder."
]
AttentionChoice = Annotated[Choice, ClassOf("attention"), "The attention layer of the decoder."]
DecoderChoice = Annotated[Choice, ClassOf("decoder", uses_attention=False), "The decoder."]
AttentionDecoderChoice = Annotated[Choice, ClassOf("decoder", uses_attention=True), "The decoder."]


@dataclass(frozen=True)
class TextSourceConfig:
    """The keys of every model whose source is a text.

    Attributes:
      vocab_source: Vocabulary file of the sources; empty: built from the training data.
    """

    source: SourceConfig = SourceConfig()
    vocab_source: str = ""
    subwords: SubwordConfig = SubwordConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()


@dataclass(frozen=True)
class BasicSeq2SeqConfig(TextSourceConfig):
    """The keys of `BasicSeq2Seq`."""

    encoder: EncoderChoice = Choice("UnidirectionalRNNEncoder")
    bridge: BridgeChoice = Choice("InitialStateBridge")
    decoder: DecoderChoice = Choice("BasicDecoder")


@dataclass(frozen=True)
class AttentionSeq2SeqConfig(TextSourceConfig):
    """The keys of `AttentionSeq2Seq`."""

    encoder: EncoderChoice = Choice("BidirectionalRNNEncoder")
    bridge: BridgeChoice = Choice("ZeroBridge")
    attention: AttentionChoice = Choice("AttentionLayerBahdanau")
    decoder: AttentionDecoderChoice = Choice("AttentionDecoder")
