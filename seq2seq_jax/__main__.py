"""`python -m seq2seq_jax COMMAND`: the same as the console script `seq2seq-jax COMMAND`."""

from seq2seq_jax.cli import run

run()
