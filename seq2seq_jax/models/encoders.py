"""All encoders."""

from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
from seq2seq_jax.models.conv_encoder import ConvEncoder
from seq2seq_jax.models.pooling_encoder import PoolingEncoder
from seq2seq_jax.models.rnn_encoders import (
    BidirectionalRNNEncoder,
    StackBidirectionalRNNEncoder,
    UnidirectionalRNNEncoder,
)

__all__ = [
    "BidirectionalRNNEncoder",
    "ConvEncoder",
    "InceptionV3Encoder",
    "PoolingEncoder",
    "StackBidirectionalRNNEncoder",
    "UnidirectionalRNNEncoder",
]
