import errno
import os
from pathlib import Path

import pytest

from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import explain_system_error, explain_write_errors


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "; free some space and run the same command again"),
        (errno.EDQUOT, "; free some space and run the same command again"),
        (errno.EROFS, "; use a place that you may write to"),
        (errno.EACCES, "; use a place that you may write to"),
        (errno.ENAMETOOLONG, "; use a shorter name"),
        (errno.EIO, ""),
    ],
)
def test_a_failed_write_names_the_file_the_reason_and_the_remedy(number, remedy):
    with pytest.raises(UserError) as raised, explain_write_errors("runs/a"):
        raise OSError(number, os.strerror(number))
    assert str(raised.value) == f"runs/a: cannot be written ({os.strerror(number)}){remedy}"


def test_an_error_about_another_file_is_not_reported_as_a_failed_write(tmp_path):
    with pytest.raises(FileNotFoundError), explain_write_errors(tmp_path / "out" / "file"):
        (tmp_path / "in" / "file").read_bytes()
    with pytest.raises(UserError), explain_write_errors(tmp_path / "out" / "file"):
        (tmp_path / "out" / "other").read_bytes()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "operating system: No space left on device; free some space and run the same command"
            " again",
        ),
        (OSError(errno.EIO, "Input/output error", "a\nb"), "a\\nb: Input/output error"),
        (
            RuntimeError("Could not determine home directory."),
            "HOME: is not set, and this user has no home directory; set HOME or SEQ2SEQ_JAX_CACHE",
        ),
        (ValueError("embedded null byte"), "file name: contains a NUL character; use a name"),
    ],
)
def test_errors_of_the_operating_system_become_one_line(error, line):
    assert str(explain_system_error(error)).startswith(line)


def test_a_name_that_is_not_utf8_becomes_one_line():
    with pytest.raises(UnicodeEncodeError) as raised:
        "caf\udce9".encode()
    assert str(explain_system_error(raised.value)) == (
        "'caf\\udce9': is not UTF-8; use a name that is"
    )


def test_other_errors_are_left_alone():
    assert explain_system_error(ValueError("wrong")) is None
    assert explain_system_error(RuntimeError("wrong")) is None


def test_the_path_is_named_as_given():
    with pytest.raises(UserError, match=r"^some/file: "), explain_write_errors(Path("some/file")):
        raise OSError(errno.EIO, "Input/output error")
