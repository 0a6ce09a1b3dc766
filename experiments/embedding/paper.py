"""How wide should embeddings be? The scale of arXiv:1703.03906, section 4.1."""

from seq2seq_jax.sweeps import Sweep


def get_sweep() -> Sweep:
    return Sweep(
        config="../paper_baseline.py",
        factors={"embedding.dim": [128, 256, 512, 1024, 2048]},
        seeds=[0, 1, 2, 3],
        published={
            "128": "21.50 ± 0.16",
            "256": "21.73 ± 0.09",
            "512": "21.78 ± 0.05",
            "1024": "21.36 ± 0.27",
            "2048": "21.86 ± 0.17",
        },
    )
