"""`python -m seq2seq_jax.report runs/NAME`: the command `report` by another name."""

from seq2seq_jax.cli import run

if __name__ == "__main__":
    run("report")
