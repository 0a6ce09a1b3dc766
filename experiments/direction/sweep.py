"""One direction or both in the encoder, and does reversing the source (R) help?

arXiv:1703.03906, section 4.4: a bidirectional encoder was slightly better; for one direction,
reversed sources were better, except with four layers. `sweep.py:paper` has the scale of the paper.
"""

from typing import Any

from seq2seq_jax.sweeps import Sweep

PUBLISHED = {
    "Uni-1": "20.54 ± 0.16",
    "Uni-1R": "21.16 ± 0.35",
    "Uni-2": "20.98 ± 0.10",
    "Uni-2R": "21.76 ± 0.21",
    "Uni-4": "21.47 ± 0.22",
    "Uni-4R": "21.32 ± 0.42",
}


def unidirectional(layers: int, reverse: bool) -> dict[str, Any]:
    return {
        "encoder.class": "UnidirectionalRNNEncoder",
        "encoder.params.rnn_cell.num_layers": layers,
        "source.reverse": reverse,
    }


def get_sweep(scale: str = "small") -> Sweep:
    baseline = {"small": "Bidi-1", "paper": "Bidi-2"}[scale]
    levels: dict[str, dict[str, Any]] = {baseline: {}}
    for layers in (1, 2, 4):
        levels[f"Uni-{layers}"] = unidirectional(layers, reverse=False)
        levels[f"Uni-{layers}R"] = unidirectional(layers, reverse=True)
    bidirectional = {"small": "Bidi-2: 21.78 ± 0.05", "paper": "21.78 ± 0.05"}[scale]
    return Sweep(
        config=f"../{scale}_baseline.py",
        factors={"encoder": levels},
        seeds=range(1 if scale == "small" else 4),
        published={baseline: bidirectional, **PUBLISHED},
    )
