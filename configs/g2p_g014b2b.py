"""Pronounces English words: the split of CMUdict that the literature compares on.

    python main.py --config=configs/g2p_g014b2b.py

The directory data/g2p must contain train.words, train.phones, dev.words and dev.phones, with one
pronunciation on each line. docs/results.md describes how to make them from g014b2b.train.gz of
Phonetisaurus: 113,438 pronunciations without stress marks, 2,670 words of them for the dev set.
After 3,680 CPU seconds, 24.2 % of the dev words are wrong with greedy search and 24.0 % with a beam
of 5 (seed 1; four seeds reach 24.2 to 25.5 and 24.0 to 25.3). An ensemble of the four reaches
22.9 % with a beam of 5.
"""

from pathlib import Path

from ml_collections import ConfigDict

from seq2seq_jax.config import load_config


def get_config() -> ConfigDict:
    config = load_config(Path(__file__).with_name("g2p.py"))
    for part, name in (("input_pipeline_train", "train"), ("input_pipeline_dev", "dev")):
        config[part].params = {
            "source_files": f"data/g2p/{name}.words",
            "target_files": f"data/g2p/{name}.phones",
            "source_delimiter": "",
            "target_delimiter": " ",
        }
    # Twelve times as long as the short training: the default initial weights have time to grow, in
    # smaller steps, and stronger dropout prevents overfitting.
    config.embedding.init_scale = 0.04
    config.bridge["class"] = "ZeroBridge"
    config.bridge.params = {}
    for part in (config.encoder, config.decoder):
        part.params.init_scale = 0.04
        part.params.rnn_cell.dropout_input_keep_prob = 0.8
        part.params.rnn_cell.dropout_output_keep_prob = 0.8
    config.ema_decay = 0.999
    config.optimizer.learning_rate = 1e-3
    config.optimizer.lr_decay_type = "exponential_decay"
    config.optimizer.lr_start_decay_at = 8000
    config.optimizer.lr_decay_steps = 1000
    config.optimizer.lr_decay_rate = 0.78
    config.buckets = ""
    config.batch_size = 128
    config.train_steps = 19500
    config.eval_every_n_steps = 2000
    return config
