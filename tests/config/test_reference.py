"""docs/hyperparameters.md: written from the tables, and complete."""

from pathlib import Path

from seq2seq_jax.config import RESUMABLE
from seq2seq_jax.config.classes import SLOTS
from seq2seq_jax.config.reference import reference

FILE = Path(__file__).parents[2] / "docs" / "hyperparameters.md"


def test_the_reference_in_the_docs_is_up_to_date():
    command = "python -m seq2seq_jax.config.reference > docs/hyperparameters.md"

    assert FILE.read_text(encoding="utf-8") == reference(), f"run: {command}"


def test_every_class_is_in_the_reference():
    text = reference()

    for names in SLOTS.values():
        assert [name for name in names if name not in text] == []


def test_what_may_change_on_resuming_is_marked():
    text = reference()

    assert "| `train_steps` ↻ |" in text
    assert "| `batch_size` |" in text
    assert all(f"`{name}" in text or ".params." in name for name in RESUMABLE)
