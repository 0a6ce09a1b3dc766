"""The baseline of "Massive Exploration of Neural Machine Translation Architectures".

    python main.py --config=experiments/paper_baseline.py

The data are those of configs/wmt16_en_de.py, whose docstring says how to prepare them: English to
German, 32,000 merges of BPE. Bidirectional encoder and decoder of two layers of 512 GRUs, dot
attention of 512 units, embeddings of 512 (arXiv:1703.03906; the dev set there is newstest2013 and
BLEU that of multi-bleu.perl, so that only differences can be compared).
"""

from pathlib import Path

from ml_collections import ConfigDict

from seq2seq_jax.config import load_config


def get_config() -> ConfigDict:
    config = load_config(Path(__file__).resolve().parents[1] / "configs" / "wmt16_en_de.py")
    for part in (config.encoder, config.decoder):
        part.params.rnn_cell.cell_class = "GRUCell"
        part.params.rnn_cell.num_layers = 2
    config.attention["class"] = "AttentionLayerDot"
    config.best_metric = "bleu"
    return config
