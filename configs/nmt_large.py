"""A large translation model: 512 units, two encoder layers, four decoder layers.

    python main.py --config=configs/nmt_large.py \\
      --config.input_pipeline_train.params.source_files=train.source.gz \\
      --config.input_pipeline_train.params.target_files=train.target.gz \\
      --config.input_pipeline_dev.params.source_files=dev.source \\
      --config.input_pipeline_dev.params.target_files=dev.target

The recipe that google/seq2seq published as nmt_large. It has no data of its own.
"""

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config


def get_config() -> ConfigDict:
    config = default_config("AttentionSeq2Seq")
    config.source.max_seq_len = 50
    config.source.reverse = False
    config.target.max_seq_len = 50
    config.embedding.dim = 512

    config.encoder["class"] = "BidirectionalRNNEncoder"
    config.encoder.params = {
        "rnn_cell": {
            "cell_class": "LSTMCell",
            "cell_params": {"num_units": 512},
            "dropout_input_keep_prob": 0.8,
            "dropout_output_keep_prob": 1.0,
            "num_layers": 2,
        },
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
    config.optimizer.params = {"epsilon": 8e-7}
    config.optimizer.learning_rate = 1e-4

    config.metrics = ["LogPerplexityMetricSpec", "BleuMetricSpec"]
    config.batch_size = 32
    config.train_steps = 1_000_000
    return config
