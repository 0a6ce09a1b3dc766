import pytest

from seq2seq_jax.sweeps import trial_process
from tests.sweeps.toy_sweeps import simulated_command


@pytest.fixture
def simulated(monkeypatch):
    """Trials end at once; their results are computed from their configuration."""
    monkeypatch.setattr(trial_process, "command", simulated_command)
