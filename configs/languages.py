"""Pronounces words of several languages: one multilingual model, or a model of each language.

    python main.py --config=configs/languages.py:dut,ice,tur
    python main.py --config=configs/languages.py:dut
    python main.py --config=configs/languages.py
    seq2seq-jax sweep configs/languages.py:dut,ice,tur

The argument names the languages. Several of them, or all without an argument, become one model,
whose sources begin with the tag of their language. With a single one there are no tags. The sweep
trains a model of each language. The directory data/languages must contain LANGUAGE_train.tsv and
LANGUAGE_dev.tsv, tables without a header: a word, a tab, and phones between blanks. Other names of
files are given by --config.input_pipeline_train.params.files, in which {language} stands for the
languages.

Small languages are drawn more often than their size asks for (language_temperature). The best
checkpoint is the one with the lowest word error rate, averaged over languages.
"""

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config
from seq2seq_jax.sweeps import Sweep

TRAIN, DEV = (f"data/languages/{{language}}_{part}.tsv" for part in ("train", "dev"))


def get_config(languages: str = "") -> ConfigDict:
    config = default_config("AttentionSeq2Seq")
    single = bool(languages) and "," not in languages
    for key, files in (("input_pipeline_train", TRAIN), ("input_pipeline_dev", DEV)):
        config[key]["class"] = "TSVInputPipeline"
        config[key].params = {
            "files": files.replace("{language}", languages) if single else files,
            "languages": "" if single else languages,
            "header": False,
            "source_delimiter": "",
        }
    if not single:
        config.input_pipeline_train.params.language_temperature = 2.0
    config.source.max_seq_len = 40
    config.source.reverse = False
    config.source.normalization = "NFC"
    config.target.max_seq_len = 60
    config.embedding.dim = 128
    config.embedding.init_scale = 1.0

    rnn_cell = {
        "cell_class": "BasicLSTMCell",
        "cell_params": {"num_units": 256},
        "dropout_input_keep_prob": 0.7,
    }
    config.encoder["class"] = "BidirectionalRNNEncoder"
    config.encoder.params = {"rnn_cell": rnn_cell, "init_scale": 0.08}
    config.bridge["class"] = "InitialStateBridge"
    config.bridge.params = {"activation_fn": "tanh"}
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": 128}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {"rnn_cell": rnn_cell, "init_scale": 0.08}
    config.label_smoothing = 0.1

    config.optimizer.name = "Adam"
    config.optimizer.learning_rate = 2e-3
    config.optimizer.clip_embed_gradients = 0.0
    config.inference.max_decode_length = 60
    config.metrics = ["LogPerplexityMetricSpec", "ErrorRateMetricSpec"]
    error_rate = "sequence_error_rate"
    config.best_metric = error_rate if single else f"language/macro/{error_rate}"
    config.batch_size = 64
    config.train_steps = 4000
    config.eval_every_n_steps = 500
    return config


def get_sweep(languages: str) -> Sweep:
    levels = {
        language: {
            "input_pipeline_train.params.files": TRAIN.replace("{language}", language),
            "input_pipeline_dev.params.files": DEV.replace("{language}", language),
        }
        for language in languages.split(",")
    }
    first = next(iter(levels))
    return Sweep(f"languages.py:{first}", {"language": levels}, seeds=range(3))
