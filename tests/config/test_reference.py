"""What the documentation says of the configuration is what its tables say."""

from pathlib import Path

import pytest

from seq2seq_jax.config import RESUMABLE
from seq2seq_jax.config.classes import SLOTS
from seq2seq_jax.config.reference import reference

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_in_the_docs_is_up_to_date():
    written = (DOCS / "hyperparameters.md").read_text(encoding="utf-8")

    command = "python -m seq2seq_jax.config.reference > docs/hyperparameters.md"
    assert written == reference(), f"{command} would do"


@pytest.mark.parametrize("slot", SLOTS)
def test_every_class_is_in_the_reference(slot):
    text = reference()

    assert [name for name in SLOTS[slot] if name not in text] == []


def test_keys_that_may_change_on_resuming_are_marked():
    text = reference()

    assert "| `train_steps` ↻ |" in text
    assert "| `inference.beam_search.beam_width` ↻ |" in text
    assert "| `batch_size` |" in text


def test_the_docs_list_what_may_change_on_resuming():
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    listed = text.partition("## Keys that may change on resuming")[2]

    rows = [line for line in listed.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{key}` | {why} |" for key, why in RESUMABLE.items()]
