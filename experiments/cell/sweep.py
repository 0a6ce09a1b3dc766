"""Which cell?

arXiv:1703.03906, section 4.2: LSTM before GRU, by little; a decoder of cells without gates is far
behind.
"""

from seq2seq_jax.sweeps import Sweep

ENCODER = "encoder.params.rnn_cell.cell_class"
DECODER = "decoder.params.rnn_cell.cell_class"


def get_sweep() -> Sweep:
    return Sweep(
        config="../small_baseline.py",
        factors={
            "cell": {
                "LSTM": {ENCODER: "LSTMCell", DECODER: "LSTMCell"},
                "GRU": {ENCODER: "GRUCell", DECODER: "GRUCell"},
                "Vanilla-Dec": {ENCODER: "GRUCell", DECODER: "BasicRNNCell"},
            }
        },
        seeds=[0, 1, 2],
        published={
            "LSTM": "22.22 ± 0.08",
            "GRU": "21.78 ± 0.05",
            "Vanilla-Dec": "15.38 ± 0.28",
        },
    )
