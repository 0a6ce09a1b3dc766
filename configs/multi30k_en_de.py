"""Translates image descriptions from English to German (Multi30k, Elliott et al. 2016).

    python main.py --config=configs/multi30k_en_de.py

Wanted in data/multi30k: train.en, train.de, val.en, val.de, lower-cased and tokenised, plain; other
places are given as --config.input_pipeline_train.params.source_files=... and so on, also .gz.
Both languages are split into joint subwords, learnt from the training text; with
--config.subwords.kind= --config.vocab_min_frequency=2 they are words. BLEU is sacreBLEU's on whole
words (tok:none). A short training, greedy search: dev BLEU 26.5 with subwords and 27.8 with words,
after about nine CPU minutes each; README.md says more.
"""

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config


def get_config() -> ConfigDict:
    config = default_config("AttentionSeq2Seq")
    for part, name in (("input_pipeline_train", "train"), ("input_pipeline_dev", "val")):
        config[part].params = {
            "source_files": f"data/multi30k/{name}.en",
            "target_files": f"data/multi30k/{name}.de",
        }
    config.subwords.kind = "sentencepiece"
    config.subwords.size = 8000
    config.vocab_min_frequency = 1
    config.source.reverse = False
    config.embedding.dim = 192
    # Larger than the default: rare words are seen too seldom to grow from nearly nothing.
    config.embedding.init_scale = 1.0

    config.encoder["class"] = "BidirectionalRNNEncoder"
    config.encoder.params = {
        "rnn_cell": {
            "cell_class": "BasicLSTMCell",
            "cell_params": {"num_units": 192},
            "dropout_input_keep_prob": 0.8,
            "dropout_output_keep_prob": 0.8,
        },
        "init_scale": 0.08,
    }
    config.bridge["class"] = "InitialStateBridge"
    config.bridge.params = {"activation_fn": "tanh"}
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": 192}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {
        "rnn_cell": {
            "cell_class": "BasicLSTMCell",
            "cell_params": {"num_units": 256},
            "dropout_input_keep_prob": 0.8,
            "dropout_output_keep_prob": 0.8,
        },
        "init_scale": 0.08,
    }

    config.optimizer.name = "Adam"
    config.optimizer.learning_rate = 2e-3
    config.optimizer.lr_decay_type = "exponential_decay"
    config.optimizer.lr_start_decay_at = 700
    config.optimizer.lr_decay_steps = 100
    config.optimizer.lr_decay_rate = 0.7
    config.optimizer.clip_embed_gradients = 0.0

    config.inference.beam_search.beam_width = 0
    config.inference.max_decode_length = 60
    config.metrics = ["LogPerplexityMetricSpec", "BleuMetricSpec"]
    config.best_metric = "bleu"
    config.buckets = "14,19,27"
    config.batch_size = 64
    config.train_steps = 1200
    config.eval_every_n_steps = 600
    return config
