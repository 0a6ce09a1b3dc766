"""Translation models of google/seq2seq with a convolutional encoder: nmt_conv and nmt_conv_small.

    python main.py --config=configs/nmt_conv.py \\
      --config.input_pipeline_train.params.source_files=train.source.gz \\
      --config.input_pipeline_train.params.target_files=train.target.gz \\
      --config.input_pipeline_dev.params.source_files=dev.source \\
      --config.input_pipeline_dev.params.target_files=dev.target

The argument is the size: `large` (the default; 512 units, convolutions of 15 and 5 layers) or
`small` (256 units, 8 and 4 layers), as in configs/nmt_conv.py:small. The recipe has no data of its
own.
"""

from typing import NamedTuple

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config


class Size(NamedTuple):
    units: int
    attention_cnn_layers: int
    output_cnn_layers: int
    cell: str
    decoder_layers: int


SIZES = {"large": Size(512, 15, 5, "LSTMCell", 4), "small": Size(256, 8, 4, "GRUCell", 2)}


def get_config(size: str = "large") -> ConfigDict:
    units, attention_cnn_layers, output_cnn_layers, cell, decoder_layers = SIZES[size]
    config = default_config("AttentionSeq2Seq")
    config.source.max_seq_len = 50
    config.source.reverse = False
    config.target.max_seq_len = 50
    config.embedding.dim = units

    config.encoder["class"] = "ConvEncoder"
    config.encoder.params = {
        "attention_cnn": {"units": units, "kernel_size": 3, "layers": attention_cnn_layers},
        "output_cnn": {"units": units // 2, "kernel_size": 3, "layers": output_cnn_layers},
        # The published recipe adds position embeddings; the encoder's default multiplies them.
        "position_embeddings": {"enable": True, "combiner_fn": "add", "num_positions": 52},
    }
    config.bridge["class"] = "ZeroBridge"
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": units}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {
        "rnn_cell": {
            "cell_class": cell,
            "cell_params": {"num_units": units},
            "dropout_input_keep_prob": 0.8,
            "num_layers": decoder_layers,
        },
    }

    config.optimizer.name = "Adam"
    config.optimizer.learning_rate = 1e-4

    config.metrics = ["LogPerplexityMetricSpec", "BleuMetricSpec"]
    config.batch_size = 32
    config.train_steps = 1_000_000
    return config
