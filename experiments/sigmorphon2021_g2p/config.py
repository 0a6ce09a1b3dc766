"""Pronunciation in 21 languages: the base configuration of SIGMORPHON 2021's shared task on g2p.

    python main.py --config=experiments/sigmorphon2021_g2p/config.py:medium \
      --train-file=dut_train.tsv --dev-file=dut_dev.tsv

A row of a file has a word and its phones, which are separated by blanks. All languages of a subtask
have equal shapes, given by `buckets` and `vocab_size_multiple`, and share compiled programs.
"""

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config

TRAIN_STEPS = {"high": 20_000, "medium": 8_000, "low": 2_500}


def get_config(subtask: str = "medium") -> ConfigDict:
    config = default_config("AttentionSeq2Seq")
    for part in (config.input_pipeline_train, config.input_pipeline_dev):
        part["class"] = "TSVInputPipeline"
        part.params = {
            "files": "",
            "header": False,
            "source_column": 1,
            "target_column": 2,
            "source_delimiter": "",
            "target_delimiter": " ",
        }
    config.source.max_seq_len = 50
    config.target.max_seq_len = 60
    config.source.reverse = False
    config.vocab_size_multiple = 64
    config.buckets = "8x8,11x11,15x16,26x28"

    config.embedding.dim = 128
    config.embedding.init_scale = 1.0
    units = 128 if subtask == "low" else 256
    for part, name in (
        (config.encoder, "BidirectionalRNNEncoder"),
        (config.decoder, "AttentionDecoder"),
    ):
        part["class"] = name
        part.params = {
            "rnn_cell": {
                "cell_class": "BasicLSTMCell",
                "cell_params": {"num_units": units},
                "dropout_input_keep_prob": 0.7,
                "dropout_output_keep_prob": 0.7,
            },
            "init_scale": 0.08,
        }
    config.bridge["class"] = "InitialStateBridge"
    config.bridge.params = {"activation_fn": "tanh"}
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": units}

    steps = TRAIN_STEPS[subtask]
    config.label_smoothing = 0.1
    config.ema_decay = 0.99 if subtask == "low" else 0.999
    config.optimizer.learning_rate = 1e-3
    config.optimizer.lr_decay_type = "polynomial_decay"
    config.optimizer.lr_start_decay_at = steps // 2
    config.optimizer.lr_decay_steps = steps - steps // 2
    config.optimizer.clip_gradients = 3.0
    config.optimizer.clip_embed_gradients = 0.0

    config.inference.beam_search.beam_width = 5
    config.inference.max_decode_length = 60
    config.inference.batch_size = 128
    config.metrics = ["LogPerplexityMetricSpec", "ErrorRateMetricSpec"]
    config.best_metric = "sequence_error_rate"
    config.batch_size = 32
    config.train_steps = steps
    config.eval_every_n_steps = steps // 5
    config.keep_checkpoint_max = 1
    config.save_checkpoints_secs = 120
    return config
