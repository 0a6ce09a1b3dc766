"""Which cell? The scale of arXiv:1703.03906, section 4.2."""

from seq2seq_jax.sweeps import Sweep

ENCODER = "encoder.params.rnn_cell.cell_class"
DECODER = "decoder.params.rnn_cell.cell_class"


def get_sweep() -> Sweep:
    return Sweep(
        config="../paper_baseline.py",
        factors={
            "cell": {
                "LSTM": {ENCODER: "LSTMCell", DECODER: "LSTMCell"},
                "GRU": {ENCODER: "GRUCell", DECODER: "GRUCell"},
                "Vanilla-Dec": {ENCODER: "GRUCell", DECODER: "BasicRNNCell"},
            }
        },
        seeds=[0, 1, 2, 3],
        published={
            "LSTM": "22.22 ± 0.08",
            "GRU": "21.78 ± 0.05",
            "Vanilla-Dec": "15.38 ± 0.28",
        },
    )
