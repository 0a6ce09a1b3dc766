"""The simplest model, encoder and decoder joined by a bridge, learns to copy a sequence.

    python main.py --config=configs/basic.py

Without files it trains on the built-in corpus. On your files:

    python main.py --config=configs/basic.py \\
      --config.input_pipeline_train.params.source_files=train.source.gz \\
      --config.input_pipeline_train.params.target_files=train.target.gz \\
      --config.input_pipeline_dev.params.source_files=dev.source \\
      --config.input_pipeline_dev.params.target_files=dev.target
"""

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config


def get_config() -> ConfigDict:
    config = default_config("BasicSeq2Seq")
    config.input_pipeline_train.params = {"builtin": "toy_copy"}
    config.input_pipeline_dev.params = {"builtin": "toy_copy"}
    config.metrics = ["LogPerplexityMetricSpec", "BleuMetricSpec", "AccuracyMetricSpec"]

    config.optimizer.learning_rate = 1e-3
    config.batch_size = 32
    config.train_steps = 2000
    config.eval_every_n_steps = 500
    return config
