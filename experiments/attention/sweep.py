"""Which attention, and how wide? Mul is dot attention, Add is that of Bahdanau.

arXiv:1703.03906, section 4.5: Add is slightly better than Mul, and best at 512 units; the widest
Mul is far behind. Without attention (None-State: the decoder starts from the encoder's final
state), BLEU is less than half. The small scale halves all widths of the paper and has two of its
four widths; `sweep.py:paper` has the scale of the paper, without its None-Input, where the decoder
receives the encoder's final state at each step.
"""

from typing import Any

from seq2seq_jax.sweeps import Sweep


def attention(kind: str, units: int) -> dict[str, Any]:
    return {"attention.class": f"AttentionLayer{kind}", "attention.params.num_units": units}


def get_sweep(scale: str = "small") -> Sweep:
    widths = {"small": (256, 512), "paper": (128, 256, 512, 1024)}[scale]
    levels = {
        f"{name}-{units}": attention(kind, units)
        for name, kind in (("Mul", "Dot"), ("Add", "Bahdanau"))
        for units in widths
    }
    levels["None-State"] = {"model": "BasicSeq2Seq", "decoder.class": "BasicDecoder"}
    if scale == "paper":
        levels["None-State"]["bridge.class"] = "InitialStateBridge"
    published = {
        "small": {
            "Mul-256": "Mul-512: 21.78 ± 0.05",
            "Mul-512": "Mul-1024: 18.22 ± 0.03",
            "Add-256": "Add-512: 22.47 ± 0.27",
            "Add-512": "Add-1024: 22.10 ± 0.18",
            "None-State": "9.98 ± 0.28",
        },
        "paper": {
            "Mul-128": "22.03 ± 0.08",
            "Mul-256": "22.33 ± 0.28",
            "Mul-512": "21.78 ± 0.05",
            "Mul-1024": "18.22 ± 0.03",
            "Add-128": "22.23 ± 0.11",
            "Add-256": "22.33 ± 0.04",
            "Add-512": "22.47 ± 0.27",
            "Add-1024": "22.10 ± 0.18",
            "None-State": "9.98 ± 0.28",
        },
    }
    return Sweep(
        config=f"../{scale}_baseline.py",
        factors={"attention": levels},
        seeds=range(3 if scale == "small" else 4),
        published=published[scale],
    )
