"""`python -m seq2seq_jax.sweep experiments/NAME/sweep.py`: the command `sweep` by another name."""

from seq2seq_jax.cli import run

if __name__ == "__main__":
    run("sweep")
