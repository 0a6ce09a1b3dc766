import logging
import tempfile
from pathlib import Path

import pytest

from seq2seq_jax.utils.cache_dir import cache_dir, persistent_cache_dir
from seq2seq_jax.utils.errors import UserError

WARNING = "Set SEQ2SEQ_JAX_CACHE to a directory that you may write to."


@pytest.fixture(autouse=True)
def _loud(caplog):
    caplog.set_level(logging.WARNING)


def test_the_variable_names_the_cache_which_is_created(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("SEQ2SEQ_JAX_CACHE", str(tmp_path / "new" / "cache"))
    assert cache_dir("prepared") == tmp_path / "new" / "cache" / "prepared"
    assert not caplog.messages


@pytest.mark.parametrize("name", ["file/cache", "file", "/proc/cache", "x" * 300, "/dev/full"])
def test_a_temporary_directory_replaces_a_cache_that_cannot_be_written(
    tmp_path, monkeypatch, caplog, name
):
    (tmp_path / "file").touch()
    cache = tmp_path / name
    monkeypatch.setenv("SEQ2SEQ_JAX_CACHE", str(cache))
    directory = cache_dir("prepared")
    assert directory.parent.parent == Path(tempfile.gettempdir())
    assert cache_dir("compiled").parent == directory.parent  # The same one for the whole process.
    (message,) = caplog.messages
    assert message.startswith(f"{cache} cannot be used (") and message.endswith(WARNING)


def test_without_a_home_directory_the_cache_is_temporary(monkeypatch, caplog):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    for name in ("SEQ2SEQ_JAX_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert cache_dir("prepared").parent.parent == Path(tempfile.gettempdir())
    assert caplog.messages[0].startswith("the cache directory cannot be used (Could not determine")
    with pytest.raises(RuntimeError):
        persistent_cache_dir()


def test_without_any_place_to_write_there_is_one_line(monkeypatch):
    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("SEQ2SEQ_JAX_CACHE", "/proc/other")
    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(UserError, match="cannot be written \\(No space left on device\\)"):
        cache_dir("prepared")
