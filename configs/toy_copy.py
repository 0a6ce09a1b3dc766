"""The small translation model of google/seq2seq learns to copy sequences of 5 to 20 tokens.

    python main.py --config=configs/toy_copy.py

The recipe is toy_reverse.py with the other toy corpus.
"""

from pathlib import Path

from ml_collections import ConfigDict

from seq2seq_jax.config import load_config


def get_config() -> ConfigDict:
    return load_config(Path(__file__).with_name("toy_reverse.py:toy_copy"))
