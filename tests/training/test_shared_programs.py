"""Runs that share their compiled programs, seen by what they add to the cache of programs."""

from itertools import product

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from seq2seq_jax.cli import main

SETTINGS = {
    "jax_enable_compilation_cache": True,
    "jax_persistent_cache_min_compile_time_secs": 0,
    "jax_persistent_cache_min_entry_size_bytes": 0,
}


@pytest.fixture
def new_programs(tmp_path):
    """Return a function that trains a model and returns the number of programs compiled for it."""
    programs = tmp_path / "programs"
    before = {name: getattr(jax.config, name) for name in (*SETTINGS, "jax_compilation_cache_dir")}
    for name, value in {**SETTINGS, "jax_compilation_cache_dir": str(programs)}.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()

    def train(name: str, alphabet: str, *flags: str) -> int:
        known = set(programs.glob("*"))
        pairs = [f"{a} {b}\t{b} {a} {b}\n" for a, b in product(alphabet, repeat=2)]
        (tmp_path / f"{name}.tsv").write_text("".join(pairs))
        files = f"--train-file={tmp_path / name}.tsv"
        workdir = f"--workdir={tmp_path / name}"
        shapes = ["--config.buckets=4x6", "--config.vocab_size_multiple=16"]
        steps = ["--config.train_steps=2", "--config.eval_every_n_steps=0"]
        fixed = ["train", "--config=configs/tiny.py", files, workdir, *shapes, *steps]
        assert main([*fixed, *flags]) == 0
        return len(set(programs.glob("*-cache")) - known)

    yield train
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def test_runs_with_other_numbers_or_another_alphabet_share_all_programs(new_programs):
    assert new_programs("first", "abcd") > 0
    assert new_programs("other_rate", "abcd", "--config.optimizer.learning_rate=0.02") == 0
    assert new_programs("other_seed", "abcd", "--config.seed=3") == 0
    assert new_programs("other_alphabet", "bcdefgh") == 0
    assert new_programs("other_size", "abcd", "--config.embedding.dim=20") > 0
