"""A small translation model with a convolutional encoder: 8 and 4 layers, 256 units.

    python main.py --config=configs/nmt_conv_small.py \\
      --config.input_pipeline_train.params.source_files=train.source.gz \\
      --config.input_pipeline_train.params.target_files=train.target.gz \\
      --config.input_pipeline_dev.params.source_files=dev.source \\
      --config.input_pipeline_dev.params.target_files=dev.target

The recipe that google/seq2seq published as nmt_conv_small. It has no data of its own.
"""

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config


def get_config() -> ConfigDict:
    config = default_config("AttentionSeq2Seq")
    config.source.max_seq_len = 50
    config.source.reverse = False
    config.target.max_seq_len = 50
    config.embedding.dim = 256

    config.encoder["class"] = "ConvEncoder"
    config.encoder.params = {
        "attention_cnn": {"units": 256, "kernel_size": 3, "layers": 8},
        "output_cnn": {"units": 128, "kernel_size": 3, "layers": 4},
        # The recipe says add; where nothing is said, positions multiply.
        "position_embeddings": {"enable": True, "combiner_fn": "add", "num_positions": 52},
    }
    config.bridge["class"] = "ZeroBridge"
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": 256}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {
        "rnn_cell": {
            "cell_class": "GRUCell",
            "cell_params": {"num_units": 256},
            "dropout_input_keep_prob": 0.8,
            "dropout_output_keep_prob": 1.0,
            "num_layers": 2,
        },
    }

    config.optimizer.name = "Adam"
    config.optimizer.learning_rate = 1e-4

    config.metrics = ["LogPerplexityMetricSpec", "BleuMetricSpec"]
    config.batch_size = 32
    config.train_steps = 1_000_000
    return config
