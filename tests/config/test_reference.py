"""The pages on the configuration agree with the schema, and the schema with the constructors."""

from pathlib import Path

import pytest

from docs.hyperparameters_page import hyperparameter_page
from seq2seq_jax.config import CHANGEABLE, RESUMABLE
from seq2seq_jax.config.classes import SCHEMA_FILE, built_in_classes
from seq2seq_jax.config.collect import collect_schema, schema_text
from seq2seq_jax.config.registry import SLOTS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_schema_file_agrees_with_the_constructors():
    written = SCHEMA_FILE.read_text(encoding="utf-8")

    command = "python -m seq2seq_jax.config.collect"
    assert written == schema_text(collect_schema()), f"run {command}"


def test_the_schema_file_is_read_back_as_it_was_collected():
    assert built_in_classes() == collect_schema()


def test_the_page_of_hyperparameters_is_up_to_date():
    written = (DOCS / "hyperparameters.md").read_text(encoding="utf-8")

    command = "python -m docs.hyperparameters_page > docs/hyperparameters.md"
    assert written == hyperparameter_page(), f"run {command}"


@pytest.mark.parametrize("slot", SLOTS)
def test_every_class_is_in_the_reference(slot):
    text = hyperparameter_page()

    assert [name for name in built_in_classes()[slot] if name not in text] == []


def test_keys_that_may_change_on_resuming_are_marked():
    text = hyperparameter_page()

    assert "| `train_steps` ↻ |" in text
    assert "| `inference.beam_search.beam_width` ↻ |" in text
    assert "| `batch_size` |" in text


def test_the_docs_list_what_may_change_on_resuming():
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    listed = text.partition("## Keys that may change on resuming")[2].split("\n## ")

    for section, keys in zip(listed, (RESUMABLE, CHANGEABLE), strict=True):
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        assert rows == [f"| `{key}` | {why} |" for key, why in keys.items()]
