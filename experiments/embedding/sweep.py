"""How wide should embeddings be?

arXiv:1703.03906, section 4.1: 2048 was slightly the best; 128 did nearly as well with half of the
parameters. The small scale halves all widths of the paper; `sweep.py:paper` has its scale.
"""

from seq2seq_jax.sweeps import Sweep

PUBLISHED = {
    128: "21.50 ± 0.16",
    256: "21.73 ± 0.09",
    512: "21.78 ± 0.05",
    1024: "21.36 ± 0.27",
    2048: "21.86 ± 0.17",
}


def get_sweep(scale: str = "small") -> Sweep:
    if scale == "small":
        published = {str(width // 2): f"{width}: {bleu}" for width, bleu in PUBLISHED.items()}
    else:
        published = {str(width): bleu for width, bleu in PUBLISHED.items()}
    return Sweep(
        config=f"../{scale}_baseline.py",
        factors={"embedding.dim": [int(width) for width in published]},
        seeds=range(1 if scale == "small" else 4),
        published=published,
    )
