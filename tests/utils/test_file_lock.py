import os
import subprocess
import sys

import pytest

from seq2seq_jax.utils import file_lock as module
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_lock import file_lock

HOLD = (
    "import sys, pathlib; from seq2seq_jax.utils.file_lock import file_lock\n"
    "with file_lock(pathlib.Path(sys.argv[1]), 'another training'):\n"
    "    print('locked', flush=True); sys.stdin.read()"
)


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def test_a_lock_names_the_process_that_holds_it_and_ends_when_it_is_killed(holder, tmp_path):
    path = tmp_path / "lock"
    expected = rf"another training is running here \(process {holder.pid} on .*\); wait for it"
    with pytest.raises(UserError, match=expected) as raised, file_lock(path, "another training"):
        pass
    assert raised.value.where == str(tmp_path)
    holder.kill()
    holder.wait()
    with file_lock(path, "another training"):
        assert path.read_text().startswith(f"process {os.getpid()} on ")


def test_a_lock_can_be_taken_again_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), file_lock(tmp_path / "lock", "another training"):
        raise ZeroDivisionError
    with file_lock(tmp_path / "lock", "another training", wait=True):
        pass


def test_without_locks_of_the_system_a_warning_says_so(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module, "fcntl", None)
    with file_lock(tmp_path / "lock", "another training"):
        assert "this system has no file locks" in caplog.text


def test_a_file_system_without_locks_is_used_with_a_warning(tmp_path, monkeypatch, caplog):
    def no_locks(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", no_locks)
    with file_lock(tmp_path / "lock", "another training"):
        assert "cannot be locked (No locks available)" in caplog.text
