import pytest

from seq2seq_jax.whole_files import replaced_when_done


def test_a_file_keeps_its_old_content_when_writing_fails(tmp_path):
    path = tmp_path / "deep" / "report.txt"
    with replaced_when_done(path) as partial:
        partial.write_text("old")
    with pytest.raises(RuntimeError), replaced_when_done(path) as partial:
        partial.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]
