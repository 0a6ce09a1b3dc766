"""The configuration keys of the models: their slots for components, and their groups."""

from dataclasses import dataclass
from typing import Annotated

from seq2seq_jax.data.augmentation import AugmentationConfig
from seq2seq_jax.data.corpus import SourceConfig
from seq2seq_jax.data.subwords import SubwordConfig
from seq2seq_jax.schema.parameters import Choice, ClassOf
from seq2seq_jax.schema.rules import FRACTION, INIT_SCALE, LENGTH, WIDTH, one_of


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
FeaturesEncoderChoice = Annotated[
    Choice,
    ClassOf("encoder", modality="text"),
    "The encoder of the features, for combine=attention and combine=decoder.",
]
BridgeChoice = Annotated[
    Choice, ClassOf("bridge"), "The bridge, which computes the initial state of the decoder."
]
AttentionChoice = Annotated[Choice, ClassOf("attention"), "The attention layer of the decoder."]
DecoderChoice = Annotated[Choice, ClassOf("decoder", uses_attention=False), "The decoder."]
AttentionDecoderChoice = Annotated[Choice, ClassOf("decoder", uses_attention=True), "The decoder."]


@dataclass(frozen=True)
class FeaturesConfig:
    """The parameters `features.*` of a model: how it reads the features of a pair, as V;PST.

    Attributes:
      combine: How features enter the model. source: as tokens after those of the source.
        attention: through a separate encoder, to whose outputs the decoder attends too. decoder:
        through a separate encoder, whose mean is an input of every decoder step. none: not at all.
        auto: source if the training data have features, otherwise none.
      max_seq_len: Number of features to which those of a pair are truncated.
      unk_probability: Probability with which each feature is replaced by UNK in training, so that
        UNK can stand for features that the training data lack.
    """

    combine: Annotated[str, one_of("auto", "none", "source", "attention", "decoder")] = "auto"
    encoder: FeaturesEncoderChoice = Choice("EmbeddingEncoder")
    max_seq_len: Annotated[int, LENGTH] = 50
    unk_probability: Annotated[float, FRACTION] = 0.01


@dataclass(frozen=True)
class TextSourceConfig:
    """The keys of every model whose source is a text.

    Attributes:
      vocab_source: Vocabulary file of the sources; empty: built from the training data.
      vocab_features: Vocabulary file of the features; empty: built from the training data.
    """

    source: SourceConfig = SourceConfig()
    vocab_source: str = ""
    features: FeaturesConfig = FeaturesConfig()
    vocab_features: str = ""
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
