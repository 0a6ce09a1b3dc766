"""How wide a beam, and which length penalty (LP)? One training per seed, evaluated several times.

arXiv:1703.03906, section 4.6: any beam gains about one point over greedy search (B1); more than
five hypotheses gain nothing, and very wide beams lose; a length penalty helps. `sweep.py:paper` has
the scale of the paper.
"""

from typing import Any

from seq2seq_jax.sweeps import Sweep

PUBLISHED = {
    "B1": "20.66 ± 0.31",
    "B3": "21.55 ± 0.26",
    "B5": "21.60 ± 0.28",
    "B10": "21.57 ± 0.26",
    "B25": "21.47 ± 0.30",
    "B100": "21.10 ± 0.31",
    "B10-LP0.5": "21.71 ± 0.25",
    "B10-LP1.0": "21.80 ± 0.25",
}


def beam(width: int, penalty: float = 0.0) -> dict[str, Any]:
    search = "inference.beam_search"
    return {f"{search}.beam_width": width, f"{search}.length_penalty_weight": penalty}


def get_sweep(scale: str = "small") -> Sweep:
    widths = {"small": (1, 3, 5, 10, 25), "paper": (1, 3, 5, 10, 25, 100)}[scale]
    levels = {f"B{width}": beam(width) for width in widths}
    levels |= {f"B10-LP{penalty}": beam(10, penalty) for penalty in (0.5, 1.0)}
    return Sweep(
        config=f"../{scale}_baseline.py",
        factors={"search": levels},
        seeds=range(3 if scale == "small" else 4),
        published={name: PUBLISHED[name] for name in levels},
    )
