"""How wide should embeddings be?

arXiv:1703.03906, section 4.1: 2048 were best, by little; 128 did nearly as well with half of the
parameters. Here, as every width, half of the paper's.
"""

from seq2seq_jax.sweeps import Sweep


def get_sweep() -> Sweep:
    return Sweep(
        config="../small_baseline.py",
        factors={"embedding.dim": [64, 128, 256, 512, 1024]},
        seeds=[0],
        published={
            "64": "128: 21.50 ± 0.16",
            "128": "256: 21.73 ± 0.09",
            "256": "512: 21.78 ± 0.05",
            "512": "1024: 21.36 ± 0.27",
            "1024": "2048: 21.86 ± 0.17",
        },
    )
