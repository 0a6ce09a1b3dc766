import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_jax.data.readers.text_lines import check_readable, decode_line, read_lines
from seq2seq_jax.utils.errors import UserError


def test_unicode_line_separators_do_not_split_a_line(tmp_path):
    line = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\rh"
    path = tmp_path / "text"
    path.write_bytes(f"{line}\nnext\n".encode())
    assert list(read_lines(path)) == [line, "next"]


def test_carriage_returns_at_line_ends_and_the_byte_order_mark_are_removed(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n\r\nlast")
    assert list(read_lines(path)) == ["one", "two", "", "last"]


def test_a_byte_order_mark_after_the_first_line_is_text():
    assert decode_line(b"\xef\xbb\xbfx\n", "f", 2) == "\ufeffx"


def test_a_gzip_file_is_read_like_a_plain_file(tmp_path):
    plain, packed = tmp_path / "text", tmp_path / "text.gz"
    plain.write_bytes("笑\n\né è\n".encode())
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(read_lines(packed)) == list(read_lines(plain)) == ["笑", "", "é è"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]))))
def test_lines_are_read_as_they_were_written(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("lines") / "text"
    path.write_bytes("".join(f"{line}\r\n" for line in ["first", *lines]).encode())
    assert list(read_lines(path)) == ["first", *lines]


def test_a_line_that_is_not_utf8_is_reported_with_file_and_line(tmp_path):
    path = tmp_path / "latin1"
    path.write_bytes("good\nna\xefve\n".encode("latin-1"))
    with pytest.raises(UserError) as error:
        list(read_lines(path))
    assert str(error.value) == (
        f"{path}:2: not UTF-8 (byte 0xef at column 3); convert the file to UTF-8"
    )


def test_a_missing_file_is_an_error(tmp_path):
    path = str(tmp_path / "none")
    for read in (lambda: list(read_lines(path)), lambda: check_readable(path)):
        with pytest.raises(UserError) as error:
            read()
        assert str(error.value) == f"{path}: cannot be read (No such file or directory)"


def test_a_directory_is_an_error(tmp_path):
    with pytest.raises(UserError, match="Is a directory"):
        check_readable(str(tmp_path))


@pytest.mark.parametrize(
    "content",
    [b"plain text\n", gzip.compress(b"many lines\n" * 999)[:40], b"\x1f\x8b"],
    ids=["plain text", "truncated", "only the magic number"],
)
def test_a_damaged_gzip_file_is_an_error(tmp_path, content):
    path = tmp_path / "text.gz"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        list(read_lines(path))
    assert str(error.value).startswith(f"{path}: cannot be read (")
    assert "\n" not in str(error.value)
