import pytest

from seq2seq_jax.sweeps import trial_process
from tests.sweeps.toy_sweeps import pretended_command


@pytest.fixture
def pretended(monkeypatch):
    """Trials end at once, with results that can be told from their configuration."""
    monkeypatch.setattr(trial_process, "command", pretended_command)
