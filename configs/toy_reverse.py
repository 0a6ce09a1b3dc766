"""The small translation model of google/seq2seq learns to reverse sequences of 5 to 20 tokens.

    python main.py --config=configs/toy_reverse.py

The corpus has 10,000 sequences, and training takes 1000 steps of 32. The model is that of
nmt_small.py; only the learning rate is ten times as high, because the published one needs many more
steps. 90 % of the dev sequences are exactly right (greedy search, median of three seeds) after 29
seconds. `configs/toy_reverse.py:toy_copy` trains on the other toy corpus, as toy_copy.py does.
"""

from pathlib import Path

from ml_collections import ConfigDict

from seq2seq_jax.config import load_config


def get_config(corpus: str = "toy_reverse") -> ConfigDict:
    config = load_config(Path(__file__).with_name("nmt.py:small"))
    config.input_pipeline_train.params = {"builtin": corpus}
    config.input_pipeline_dev.params = {"builtin": corpus}
    config.optimizer.learning_rate = 1e-3
    config.metrics = ["LogPerplexityMetricSpec", "BleuMetricSpec", "AccuracyMetricSpec"]
    # One bucket for all lengths: batches of mixed lengths make smoother steps.
    config.buckets = "22"
    config.train_steps = 1000
    config.eval_every_n_steps = 500
    return config
