"""Summarizes Debian packages: a long description in, its one-line description out.

    python -m experiments.package_descriptions.prepare
    python main.py --config=experiments/package_descriptions/config.py

The first command fetches the descriptions (15 MB) and makes the corpus; docs/summarization.md has
the details and results. After 2,463 CPU seconds (seed 0), ROUGE-1, -2 and -L of the dev set are
31.1, 13.7 and 29.0 with greedy search, and 33.0, 15.2 and 31.0 with a beam of 5 and a length
penalty of 1. The first twelve words of each description reach 28.8, 13.3 and 25.3.
"""

from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config
from seq2seq_jax.utils.cache_dir import cache_dir


def get_config() -> ConfigDict:
    config = default_config("AttentionSeq2Seq")
    folder = cache_dir("package_descriptions")
    for part, split in (("input_pipeline_train", "train"), ("input_pipeline_dev", "dev")):
        config[part]["class"] = "TSVInputPipeline"
        config[part].params = {
            "files": str(folder / f"{split}.tsv"),
            "source_column": "long",
            "target_column": "short",
        }
    # Names of programs are rare words, which have to be copied from the source in pieces.
    config.subwords.kind = "sentencepiece"
    config.subwords.size = 8000
    # Most tokens are rare; the bias starts at their log frequencies instead of learning them.
    config.vocab_bias = "log_frequency"
    # The beginning of a description says what the package is.
    config.source.max_seq_len = 60
    config.source.reverse = False
    config.target.max_seq_len = 30
    config.embedding.dim = 192
    # Above the default: rare tokens are seen too seldom to grow from small values.
    config.embedding.init_scale = 1.0

    def rnn_cell(num_units: int) -> dict[str, Any]:
        return {
            "cell_class": "BasicLSTMCell",
            "cell_params": {"num_units": num_units},
            "dropout_input_keep_prob": 0.8,
            "dropout_output_keep_prob": 0.8,
        }

    config.encoder["class"] = "BidirectionalRNNEncoder"
    config.encoder.params = {"rnn_cell": rnn_cell(192), "init_scale": 0.08}
    config.bridge["class"] = "InitialStateBridge"
    config.bridge.params = {"activation_fn": "tanh"}
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": 192}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {"rnn_cell": rnn_cell(256), "init_scale": 0.08}

    config.optimizer.name = "Adam"
    config.optimizer.learning_rate = 1e-3
    config.optimizer.lr_decay_type = "exponential_decay"
    config.optimizer.lr_start_decay_at = 3000
    config.optimizer.lr_decay_steps = 300
    config.optimizer.lr_decay_rate = 0.7
    config.optimizer.clip_embed_gradients = 0.0
    config.ema_decay = 0.999

    config.inference.max_decode_length = 30
    config.metrics = ["LogPerplexityMetricSpec"] + [
        {"class": "RougeMetricSpec", "params": {"rouge_type": f"{kind}/f_score"}}
        for kind in ("rouge_1", "rouge_2", "rouge_l")
    ]
    config.best_metric = "rouge_l/f_score"
    config.buckets = "30,45,60"
    config.batch_size = 64
    config.train_steps = 5000
    config.eval_every_n_steps = 1000
    return config
