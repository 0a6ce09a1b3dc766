"""All languages of a subtask with three seeds: `sweep.py:low`, or some of them: `sweep.py:dut,ice`.

The folder that SIGMORPHON2021_G2P names (data/sigmorphon2021_g2p, if it is not set) has
high, medium and low with LANGUAGE_train.tsv and LANGUAGE_dev.tsv, plain or .gz.

The published word error rates are those of the baseline, an ensemble of ten neural transducers, on
the dev sets (Ashby et al. 2021, Results of the second SIGMORPHON shared task on multilingual
grapheme-to-phoneme conversion).
"""

import os
from pathlib import Path

from seq2seq_jax.sweeps import Sweep
from seq2seq_jax.utils.errors import UserError

BASELINE_DEV = {
    "high": {"eng_us": 45.13},
    "medium": {
        "arm_e": 4.5,
        "bul": 8.3,
        "dut": 10.8,
        "fre": 7.4,
        "geo": 0.0,
        "hbs_latn": 34.7,
        "hun": 1.5,
        "jpn_hira": 6.2,
        "kor": 18.4,
        "vie_hanoi": 1.3,
    },
    "low": {
        "ady": 22.0,
        "gre": 5.0,
        "ice": 11.0,
        "ita": 22.0,
        "khm": 34.0,
        "lav": 41.0,
        "mlt_latn": 20.0,
        "rum": 10.0,
        "slv": 43.0,
        "wel_sw": 16.0,
    },
}
"""Subtask -> language -> word error rate on the dev set, in percent."""


def get_sweep(languages: str = "medium") -> Sweep:
    subtask, names = select(languages)
    published = BASELINE_DEV[subtask]
    return Sweep(
        config=f"config.py:{subtask}",
        factors={
            "language": {
                name: {
                    f"input_pipeline_{part}.params.files": str(_file(subtask, f"{name}_{part}"))
                    for part in ("train", "dev")
                }
                for name in names
            }
        },
        seeds=range(3),
        published={name: str(published[name]) for name in names},
    )


def select(languages: str) -> tuple[str, list[str]]:
    """Return a subtask and its languages.

    Args:
      languages: The name of a subtask, or names of languages of one subtask with commas between
        them.

    Raises:
      UserError: They are not languages of one subtask.
    """
    if languages in BASELINE_DEV:
        return languages, list(BASELINE_DEV[languages])
    names = languages.split(",")
    for subtask, published in BASELINE_DEV.items():
        if set(names) <= published.keys():
            return subtask, names
    known = "; ".join(f"{key}: {', '.join(value)}" for key, value in BASELINE_DEV.items())
    raise UserError(languages, f"must be a subtask or languages of one subtask ({known})")


def _file(subtask: str, name: str) -> Path:
    folder = Path(os.environ.get("SIGMORPHON2021_G2P", "data/sigmorphon2021_g2p"), subtask)
    packed = folder / f"{name}.tsv.gz"
    return packed if packed.exists() else folder / f"{name}.tsv"
