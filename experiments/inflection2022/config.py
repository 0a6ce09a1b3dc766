"""Inflection: the base configuration for the languages of SIGMORPHON 2022's shared task.

    python main.py --config=experiments/inflection2022/config.py:small \
      --train-file=tur_small.train --dev-file=tur.dev

A row of a file has a lemma, a form and the features of the form: `walk`, `walked`, `V;PST`. The
features are read as tokens after the lemma. The model is that of `../sigmorphon2021_g2p/config.py`.
"""

from pathlib import Path

from ml_collections import ConfigDict

from seq2seq_jax.config import load_config

G2P = Path(__file__).parents[1] / "sigmorphon2021_g2p" / "config.py"
SUBTASKS = {"small": "low", "large": "medium"}
"""Size -> the subtask of grapheme-to-phoneme conversion with about as much data."""


def get_config(size: str = "small") -> ConfigDict:
    config = load_config(f"{G2P}:{SUBTASKS[size]}")
    for part in (config.input_pipeline_train, config.input_pipeline_dev):
        part.params.features_column = 3
        part.params.target_delimiter = ""
    config.features.combine = "source"
    config.source.normalization = config.target.normalization = "NFC"
    config.source.max_seq_len = 60
    config.buckets = "10x13,14x18,24x30"
    config.metrics = ["LogPerplexityMetricSpec", "AccuracyMetricSpec"]
    config.best_metric = "sequence_accuracy"
    return config
