"""Which cell?

arXiv:1703.03906, section 4.2: LSTM is slightly better than GRU; a decoder whose cells have no gates
is far behind. `sweep.py:paper` has the scale of the paper.
"""

from seq2seq_jax.sweeps import Sweep

ENCODER = "encoder.params.rnn_cell.cell_class"
DECODER = "decoder.params.rnn_cell.cell_class"


def get_sweep(scale: str = "small") -> Sweep:
    return Sweep(
        config=f"../{scale}_baseline.py",
        factors={
            "cell": {
                "LSTM": {ENCODER: "LSTMCell", DECODER: "LSTMCell"},
                "GRU": {ENCODER: "GRUCell", DECODER: "GRUCell"},
                "Vanilla-Dec": {ENCODER: "GRUCell", DECODER: "BasicRNNCell"},
            }
        },
        seeds=range(3 if scale == "small" else 4),
        published={
            "LSTM": "22.22 ± 0.08",
            "GRU": "21.78 ± 0.05",
            "Vanilla-Dec": "15.38 ± 0.28",
        },
    )
