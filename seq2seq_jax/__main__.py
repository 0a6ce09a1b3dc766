"""`python -m seq2seq_jax COMMAND`: the console script by another name."""

from seq2seq_jax.cli import run

run()
