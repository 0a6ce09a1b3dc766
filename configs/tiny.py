"""A model of almost no size, for tests: it trains in seconds and learns nothing of note.

python main.py --config=configs/tiny.py
"""

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config


def get_config() -> ConfigDict:
    config = default_config("AttentionSeq2Seq")
    config.input_pipeline_train.params = {"builtin": "toy_reverse"}
    config.input_pipeline_dev.params = {"builtin": "toy_reverse"}
    config.embedding.dim = 16
    config.encoder.params = {"rnn_cell": {"cell_params": {"num_units": 16}}}
    config.attention.params = {"num_units": 16}
    config.decoder.params = {"rnn_cell": {"cell_params": {"num_units": 16}}}

    config.optimizer.learning_rate = 1e-3
    config.inference.max_decode_length = 25
    config.batch_size = 8
    config.train_steps = 20
    config.eval_every_n_steps = 10
    config.log_every_n_steps = 5
    return config
