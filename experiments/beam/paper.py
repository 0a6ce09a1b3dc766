"""How wide a beam, and which length penalty (LP)? The scale of arXiv:1703.03906, section 4.6."""

from seq2seq_jax.sweeps import Sweep


def beam(width: int, penalty: float = 0.0) -> dict:
    search = "inference.beam_search"
    return {f"{search}.beam_width": width, f"{search}.length_penalty_weight": penalty}


def get_sweep() -> Sweep:
    return Sweep(
        config="../paper_baseline.py",
        factors={
            "search": {
                "B1": beam(1),
                "B3": beam(3),
                "B5": beam(5),
                "B10": beam(10),
                "B25": beam(25),
                "B100": beam(100),
                "B10-LP0.5": beam(10, 0.5),
                "B10-LP1.0": beam(10, 1.0),
            }
        },
        seeds=[0, 1, 2, 3],
        published={
            "B1": "20.66 ± 0.31",
            "B3": "21.55 ± 0.26",
            "B5": "21.60 ± 0.28",
            "B10": "21.57 ± 0.26",
            "B25": "21.47 ± 0.30",
            "B100": "21.10 ± 0.31",
            "B10-LP0.5": "21.71 ± 0.25",
            "B10-LP1.0": "21.80 ± 0.25",
        },
    )
