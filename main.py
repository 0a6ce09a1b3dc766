"""Trains, evaluates and uses sequence-to-sequence models.

    python main.py --config=configs/attention.py --config.optimizer.learning_rate=1e-3
    python main.py --mode=eval --workdir=runs/attention
    echo "3 1 4" | python main.py --mode=infer --workdir=runs/attention

The same as the console script `seq2seq-jax train|eval|infer|inspect`.
"""

import sys

from seq2seq_jax.cli import main, with_mode_flag

if __name__ == "__main__":
    sys.exit(main(with_mode_flag(sys.argv[1:])))
