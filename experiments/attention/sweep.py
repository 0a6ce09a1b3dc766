"""Which attention, and how wide? Mul is dot attention, Add that of Bahdanau.

arXiv:1703.03906, section 4.5: Add before Mul, by little, and best at 512; the widest Mul is far
behind; without attention (None-State: the decoder begins with the encoder's last state) it is less
than half. Here, as every width, half of the paper's; of its four widths two.
"""

from seq2seq_jax.sweeps import Sweep


def attention(kind: str, units: int) -> dict:
    return {"attention.class": f"AttentionLayer{kind}", "attention.params.num_units": units}


def get_sweep() -> Sweep:
    return Sweep(
        config="../small_baseline.py",
        factors={
            "attention": {
                "Mul-256": attention("Dot", 256),
                "Mul-512": attention("Dot", 512),
                "Add-256": attention("Bahdanau", 256),
                "Add-512": attention("Bahdanau", 512),
                "None-State": {"model": "BasicSeq2Seq", "decoder.class": "BasicDecoder"},
            }
        },
        seeds=[0, 1, 2],
        published={
            "Mul-256": "Mul-512: 21.78 ± 0.05",
            "Mul-512": "Mul-1024: 18.22 ± 0.03",
            "Add-256": "Add-512: 22.47 ± 0.27",
            "Add-512": "Add-1024: 22.10 ± 0.18",
            "None-State": "9.98 ± 0.28",
        },
    )
