"""How deep, and with which residuals?

arXiv:1703.03906, section 4.3: a deeper encoder did not help; a decoder of four layers did; of eight
layers none learned without residuals; dense residuals (ResD) were better than plain ones (Res) in
the decoder. Here the baseline has one layer a side, and four are as deep as it gets.
"""

from seq2seq_jax.sweeps import Sweep


def rnn(part: str, layers: int, residual: bool = False, dense: bool = False) -> dict:
    cell = f"{part}.params.rnn_cell"
    return {
        f"{cell}.num_layers": layers,
        f"{cell}.residual_connections": residual,
        f"{cell}.residual_dense": dense,
    }


def get_sweep() -> Sweep:
    return Sweep(
        config="../small_baseline.py",
        factors={
            "depth": {
                "Enc-1 Dec-1": {},
                "Enc-2": rnn("encoder", 2),
                "Enc-4": rnn("encoder", 4),
                "Enc-4-Res": rnn("encoder", 4, residual=True),
                "Enc-4-ResD": rnn("encoder", 4, residual=True, dense=True),
                "Dec-2": rnn("decoder", 2),
                "Dec-4": rnn("decoder", 4),
                "Dec-4-Res": rnn("decoder", 4, residual=True),
                "Dec-4-ResD": rnn("decoder", 4, residual=True, dense=True),
            }
        },
        seeds=[0],
        published={
            "Enc-1 Dec-1": "Enc-2 Dec-1: 21.76 ± 0.12",
            "Enc-2": "Enc-2 Dec-2: 21.78 ± 0.05",
            "Enc-4": "21.85 ± 0.32",
            "Enc-4-Res": "Enc-8-Res: 19.23 ± 1.96",
            "Enc-4-ResD": "Enc-8-ResD: 17.30 ± 2.64",
            "Dec-2": "Enc-2 Dec-2: 21.78 ± 0.05",
            "Dec-4": "22.37 ± 0.10",
            "Dec-4-Res": "17.48 ± 0.25",
            "Dec-4-ResD": "21.10 ± 0.24",
        },
    )
