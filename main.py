"""Trains, evaluates and uses sequence-to-sequence models.

    python main.py --config=configs/attention.py --config.optimizer.learning_rate=1e-3
    python main.py --mode=eval --workdir=runs/attention
    echo "3 1 4" | python main.py --mode=infer --workdir=runs/attention

This is the short form of the console script `seq2seq-jax train|eval|infer|inspect`.
"""

from seq2seq_jax.cli import run_main_py

if __name__ == "__main__":
    run_main_py()
