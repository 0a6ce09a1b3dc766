"""A translation model with a convolutional encoder: 15 and 5 layers, 512 units.

    python main.py --config=configs/nmt_conv.py \\
      --config.input_pipeline_train.params.source_files=train.source.gz \\
      --config.input_pipeline_train.params.target_files=train.target.gz \\
      --config.input_pipeline_dev.params.source_files=dev.source \\
      --config.input_pipeline_dev.params.target_files=dev.target

The recipe that google/seq2seq published as nmt_conv. It has no data of its own.
"""

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config


def get_config() -> ConfigDict:
    config = default_config("AttentionSeq2Seq")
    config.source.max_seq_len = 50
    config.source.reverse = False
    config.target.max_seq_len = 50
    config.embedding.dim = 512

    config.encoder["class"] = "ConvEncoder"
    config.encoder.params = {
        "attention_cnn": {"units": 512, "kernel_size": 3, "layers": 15},
        "output_cnn": {"units": 256, "kernel_size": 3, "layers": 5},
        # The recipe says add; where nothing is said, positions multiply.
        "position_embeddings": {"enable": True, "combiner_fn": "add", "num_positions": 52},
    }
    config.bridge["class"] = "ZeroBridge"
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": 512}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {
        "rnn_cell": {
            "cell_class": "LSTMCell",
            "cell_params": {"num_units": 512},
            "dropout_input_keep_prob": 0.8,
            "dropout_output_keep_prob": 1.0,
            "num_layers": 4,
        },
    }

    config.optimizer.name = "Adam"
    config.optimizer.learning_rate = 1e-4

    config.metrics = ["LogPerplexityMetricSpec", "BleuMetricSpec"]
    config.batch_size = 32
    config.train_steps = 1_000_000
    return config
