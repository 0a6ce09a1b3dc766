import pytest

from seq2seq_jax.utils.atomic_io import atomic_replace


def test_a_file_keeps_its_old_content_when_writing_fails(tmp_path):
    path = tmp_path / "deep" / "report.txt"
    with atomic_replace(path) as partial:
        partial.write_text("old")
    with pytest.raises(RuntimeError), atomic_replace(path) as partial:
        partial.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]
