"""How deep, and with which residual connections?

arXiv:1703.03906, section 4.3: a deeper encoder did not help; a decoder of four layers did; without
residual connections, no model with eight decoder layers learned; dense residual connections (ResD)
were better than plain ones (Res) in the decoder. The small scale has a baseline of one layer on
each side, and at most four layers; `sweep.py:paper` has the scale of the paper.
"""

from typing import Any

from seq2seq_jax.sweeps import Sweep


def rnn(part: str, layers: int, residual: bool = False, dense: bool = False) -> dict[str, Any]:
    cell = f"{part}.params.rnn_cell"
    return {
        f"{cell}.num_layers": layers,
        f"{cell}.residual_connections": residual,
        f"{cell}.residual_dense": dense,
    }


def residual_levels(part: str, layers: int) -> dict[str, dict[str, Any]]:
    name = f"{part[:3].capitalize()}-{layers}"
    return {
        name: rnn(part, layers),
        f"{name}-Res": rnn(part, layers, residual=True),
        f"{name}-ResD": rnn(part, layers, residual=True, dense=True),
    }


def get_sweep(scale: str = "small") -> Sweep:
    if scale == "small":
        return Sweep(
            config="../small_baseline.py",
            factors={
                "depth": {
                    "Enc-1 Dec-1": {},
                    "Enc-2": rnn("encoder", 2),
                    **residual_levels("encoder", 4),
                    "Dec-2": rnn("decoder", 2),
                    **residual_levels("decoder", 4),
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
    return Sweep(
        config=f"../{scale}_baseline.py",
        factors={
            "depth": {
                "Enc-2 Dec-2": {},
                "Enc-4": rnn("encoder", 4),
                **residual_levels("encoder", 8),
                "Dec-1": rnn("decoder", 1),
                **residual_levels("decoder", 4),
                **residual_levels("decoder", 8),
            }
        },
        seeds=range(4),
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
