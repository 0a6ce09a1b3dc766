"""Does the encoder read in both directions, or in one, of the source or of its reverse (R)?

The scale of arXiv:1703.03906, section 4.4.
"""

from seq2seq_jax.sweeps import Sweep


def unidirectional(layers: int, reverse: bool) -> dict:
    return {
        "encoder.class": "UnidirectionalRNNEncoder",
        "encoder.params.rnn_cell.num_layers": layers,
        "source.reverse": reverse,
    }


def get_sweep() -> Sweep:
    return Sweep(
        config="../paper_baseline.py",
        factors={
            "encoder": {
                "Bidi-2": {},
                "Uni-1": unidirectional(1, reverse=False),
                "Uni-1R": unidirectional(1, reverse=True),
                "Uni-2": unidirectional(2, reverse=False),
                "Uni-2R": unidirectional(2, reverse=True),
                "Uni-4": unidirectional(4, reverse=False),
                "Uni-4R": unidirectional(4, reverse=True),
            }
        },
        seeds=[0, 1, 2, 3],
        published={
            "Bidi-2": "21.78 ± 0.05",
            "Uni-1": "20.54 ± 0.16",
            "Uni-1R": "21.16 ± 0.35",
            "Uni-2": "20.98 ± 0.10",
            "Uni-2R": "21.76 ± 0.21",
            "Uni-4": "21.47 ± 0.22",
            "Uni-4R": "21.32 ± 0.42",
        },
    )
