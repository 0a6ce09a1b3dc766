"""Translation models of google/seq2seq: nmt_small, nmt_medium and nmt_large.

    python main.py --config=configs/nmt.py:small \\
      --config.input_pipeline_train.params.source_files=train.source.gz \\
      --config.input_pipeline_train.params.target_files=train.target.gz \\
      --config.input_pipeline_dev.params.source_files=dev.source \\
      --config.input_pipeline_dev.params.target_files=dev.target

The argument is the size: `small` (the default; 128 units, one layer each), `medium` (256 units, one
encoder layer and two decoder layers) or `large` (512 units, two encoder layers and four decoder
layers). The recipe has no data.
"""

from typing import Any, NamedTuple

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config


class Size(NamedTuple):
    units: int
    cell: str
    attention: str
    encoder_layers: int
    decoder_layers: int


SIZES = {
    "small": Size(128, "GRUCell", "AttentionLayerDot", 1, 1),
    "medium": Size(256, "GRUCell", "AttentionLayerBahdanau", 1, 2),
    "large": Size(512, "LSTMCell", "AttentionLayerBahdanau", 2, 4),
}


def get_config(size: str = "small") -> ConfigDict:
    units, cell, attention, encoder_layers, decoder_layers = SIZES[size]
    config = default_config("AttentionSeq2Seq")
    config.source.max_seq_len = 50
    config.source.reverse = False
    config.target.max_seq_len = 50
    config.embedding.dim = units

    def rnn_cell(num_layers: int) -> dict[str, Any]:
        return {
            "cell_class": cell,
            "cell_params": {"num_units": units},
            "dropout_input_keep_prob": 0.8,
            "num_layers": num_layers,
        }

    config.encoder["class"] = "BidirectionalRNNEncoder"
    config.encoder.params = {"rnn_cell": rnn_cell(encoder_layers)}
    config.bridge["class"] = "ZeroBridge"
    config.attention["class"] = attention
    config.attention.params = {"num_units": units}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {"rnn_cell": rnn_cell(decoder_layers)}

    config.optimizer.name = "Adam"
    config.optimizer.params = {"epsilon": 8e-7}
    config.optimizer.learning_rate = 1e-4

    config.metrics = ["LogPerplexityMetricSpec", "BleuMetricSpec"]
    config.batch_size = 32
    config.train_steps = 1_000_000
    return config
