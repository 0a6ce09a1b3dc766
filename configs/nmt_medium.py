"""A translation model of medium size (nmt_medium of google/seq2seq): `nmt.py:medium`.

    python main.py --config=configs/nmt_medium.py \\
      --config.input_pipeline_train.params.source_files=train.source.gz \\
      --config.input_pipeline_train.params.target_files=train.target.gz \\
      --config.input_pipeline_dev.params.source_files=dev.source \\
      --config.input_pipeline_dev.params.target_files=dev.target
"""

from pathlib import Path

from ml_collections import ConfigDict

from seq2seq_jax.config import load_config


def get_config() -> ConfigDict:
    return load_config(Path(__file__).with_name("nmt.py:medium"))
