import pytest

from seq2seq_jax.utils.atomic_io import atomic_directory, atomic_replace, atomic_write
from seq2seq_jax.utils.errors import UserError
from tests.limited_disk import limited_disk


def test_a_file_keeps_its_old_content_when_writing_fails(tmp_path):
    path = tmp_path / "deep" / "report.txt"
    with atomic_replace(path) as partial:
        partial.write_text("old")
    with pytest.raises(RuntimeError), atomic_replace(path) as partial:
        partial.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_name_as_long_as_the_file_system_allows_can_be_written(tmp_path):
    path = tmp_path / ("x" * 250)
    atomic_write(path, b"content")
    assert path.read_bytes() == b"content"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("file/below", r"file/below: cannot be written \(.*\); a file is where a directory must"),
        ("x" * 300, r"x: cannot be written \(File name too long\); use a shorter name"),
        ("directory", r"directory: cannot be written \(not a regular file\)"),
        ("/dev/full", r"/dev/full: cannot be written \(not a regular file\)"),
        ("/proc/none", r"/proc/none: cannot be written"),
        ("/proc/none/below", r"/proc/none/below: cannot be written"),
    ],
)
def test_a_place_that_cannot_be_written_is_named_in_one_line(tmp_path, name, what):
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    with pytest.raises(UserError, match=what):
        atomic_write(tmp_path / name, b"content")
    if name not in ("directory", "/dev/full"):
        with pytest.raises(UserError), atomic_directory(tmp_path / name):
            raise AssertionError


def test_a_full_disk_leaves_the_old_content(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with limited_disk(), pytest.raises(UserError, match="file: cannot be written"):
        atomic_write(path, b"new")
    with (
        limited_disk(),
        pytest.raises(UserError, match="directory: cannot be written"),
        atomic_directory(tmp_path / "directory") as partial,
    ):
        (partial / "part").write_text("new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_directory_is_told_from_one_that_cannot_be_written(tmp_path):
    with pytest.raises(FileExistsError), atomic_directory(tmp_path / "made"):
        (tmp_path / "made" / "by_another").mkdir(parents=True)
