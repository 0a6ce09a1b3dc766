"""How deep, and with which residuals? The scale of arXiv:1703.03906, section 4.3."""

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
        config="../paper_baseline.py",
        factors={
            "depth": {
                "Enc-2 Dec-2": {},
                "Enc-4": rnn("encoder", 4),
                "Enc-8": rnn("encoder", 8),
                "Enc-8-Res": rnn("encoder", 8, residual=True),
                "Enc-8-ResD": rnn("encoder", 8, residual=True, dense=True),
                "Dec-1": rnn("decoder", 1),
                "Dec-4": rnn("decoder", 4),
                "Dec-4-Res": rnn("decoder", 4, residual=True),
                "Dec-4-ResD": rnn("decoder", 4, residual=True, dense=True),
                "Dec-8": rnn("decoder", 8),
                "Dec-8-Res": rnn("decoder", 8, residual=True),
                "Dec-8-ResD": rnn("decoder", 8, residual=True, dense=True),
            }
        },
        seeds=[0, 1, 2, 3],
        published={
            "Enc-2 Dec-2": "21.78 ± 0.05",
            "Enc-4": "21.85 ± 0.32",
            "Enc-8": "21.32 ± 0.14",
            "Enc-8-Res": "19.23 ± 1.96",
            "Enc-8-ResD": "17.30 ± 2.64",
            "Dec-1": "21.76 ± 0.12",
            "Dec-4": "22.37 ± 0.10",
            "Dec-4-Res": "17.48 ± 0.25",
            "Dec-4-ResD": "21.10 ± 0.24",
            "Dec-8": "1.42 ± 0.23",
            "Dec-8-Res": "16.99 ± 0.42",
            "Dec-8-ResD": "20.97 ± 0.34",
        },
    )
