"""Which attention, and how wide? The scale of arXiv:1703.03906, section 4.5.

Its None-Input, where the decoder is given the encoder's last state at each step, is left out.
"""

from seq2seq_jax.sweeps import Sweep


def attention(kind: str, units: int) -> dict:
    return {"attention.class": f"AttentionLayer{kind}", "attention.params.num_units": units}


def get_sweep() -> Sweep:
    return Sweep(
        config="../paper_baseline.py",
        factors={
            "attention": {
                "Mul-128": attention("Dot", 128),
                "Mul-256": attention("Dot", 256),
                "Mul-512": attention("Dot", 512),
                "Mul-1024": attention("Dot", 1024),
                "Add-128": attention("Bahdanau", 128),
                "Add-256": attention("Bahdanau", 256),
                "Add-512": attention("Bahdanau", 512),
                "Add-1024": attention("Bahdanau", 1024),
                "None-State": {
                    "model": "BasicSeq2Seq",
                    "bridge.class": "InitialStateBridge",
                    "decoder.class": "BasicDecoder",
                },
            }
        },
        seeds=[0, 1, 2, 3],
        published={
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
    )
