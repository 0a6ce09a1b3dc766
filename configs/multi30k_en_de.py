"""Translates image descriptions from English to German (Multi30k, Elliott et al. 2016).

    python main.py --config=configs/multi30k_en_de.py

The directory data/multi30k must contain train.en, train.de, val.en and val.de, lower-cased and
tokenized. Other files, plain or .gz, are given as
--config.input_pipeline_train.params.source_files=... and so on. Both languages are split into joint
subwords, trained on the training text. BLEU of the dev set is sacreBLEU's on whole words
(tok:none): 37.8 with greedy search after 3,364 CPU seconds (36.1 after 1,613), 39.0 by --mode=eval
with --config.inference.beam_search.beam_width=5 and
--config.inference.beam_search.length_penalty_weight=1.
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
    config.subwords.size = 5000
    config.vocab_min_frequency = 1
    config.source.reverse = False
    config.embedding.dim = 192
    # Above the default: rare tokens are seen too seldom to grow from small values.
    config.embedding.init_scale = 1.0

    # The corpus is small: without strong dropout, a model of this size overfits.
    rnn_cell = {
        "cell_class": "BasicLSTMCell",
        "cell_params": {"num_units": 256},
        "dropout_input_keep_prob": 0.7,
        "dropout_output_keep_prob": 0.6,
    }
    config.encoder["class"] = "BidirectionalRNNEncoder"
    config.encoder.params = {"rnn_cell": rnn_cell, "init_scale": 0.08}
    config.bridge["class"] = "InitialStateBridge"
    config.bridge.params = {"activation_fn": "tanh"}
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": 256}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {"rnn_cell": rnn_cell, "init_scale": 0.08}
    config.label_smoothing = 0.1

    config.optimizer.name = "Adam"
    config.optimizer.learning_rate = 2e-3
    config.optimizer.lr_decay_type = "exponential_decay"
    config.optimizer.lr_start_decay_at = 3000
    config.optimizer.lr_decay_steps = 1000
    config.optimizer.lr_decay_rate = 0.6
    config.optimizer.clip_embed_gradients = 0.0
    config.ema_decay = 0.999

    config.inference.beam_search.beam_width = 0
    config.inference.max_decode_length = 60
    config.metrics = ["LogPerplexityMetricSpec", "BleuMetricSpec"]
    config.best_metric = "bleu"
    config.batch_size = 64
    config.train_steps = 9000
    config.eval_every_n_steps = 600
    return config
