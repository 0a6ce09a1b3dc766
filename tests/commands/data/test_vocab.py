import gzip
import os
import threading

import pytest

from seq2seq_jax.data.vocabulary import Vocabulary, build_vocabulary
from seq2seq_jax.utils.errors import UserError

TEXT = "b a c a\nd d  d b\nUNK x\ty\n"


def test_tokens_of_standard_input_are_counted_and_sorted_by_frequency(command):
    out, err = command("vocab", stdin=TEXT.encode())
    assert out == "d\t3\nb\t2\na\t2\nc\t1\n"  # equally frequent ones by their text, descending
    assert err == (
        "3 lines, 10 tokens, 6 of them different; kept 4, which make 80.00% of the text;"
        " the rarest occurs 1 time\n"
    )


def test_the_output_is_a_vocabulary_file(command, tmp_path):
    path = tmp_path / "deep" / "vocab"
    out, _ = command("vocab", "--output", path, stdin=TEXT.encode())
    assert out == ""
    assert Vocabulary.read(path) == build_vocabulary([["d", "d", "d", "b", "b", "a", "a", "c"]])
    assert [file.name for file in path.parent.iterdir()] == ["vocab"]


def test_the_minimum_frequency_and_the_maximum_size_limit_the_vocabulary(command):
    assert command("vocab", "--min-frequency=1", stdin=TEXT.encode())[0] == "d\t3\nb\t2\na\t2\n"
    assert command("vocab", "--max-size=1", stdin=TEXT.encode())[0] == "d\t3\n"


def test_the_empty_delimiter_counts_characters_after_lower_casing(command):
    out, _ = command("vocab", "--delimiter=", "--lowercase", stdin="Éé\u2028笑\n".encode())
    assert out == "é\t2\n笑\t1\n\u2028\t1\n"


def test_files_pipes_and_standard_input_are_read_in_order(command, tmp_path):
    packed, pipe = tmp_path / "text.gz", tmp_path / "pipe"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbfa a a\r\n"))
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"b b",))
    writer.start()
    out, _ = command("vocab", packed, "-", pipe, stdin=b"c")
    writer.join()
    assert out == "a\t3\nb\t2\nc\t1\n"


def test_invalid_input_is_reported_in_one_line(command, tmp_path):
    for argv, stdin, expected in [
        ((), b"", "<stdin>: no token is left of 0 in 0 lines; the text is empty"),
        (
            ("--min-frequency=2",),
            b"a b\n",
            "<stdin>: no token is left of 2 in 1 line; use a smaller --min-frequency",
        ),
        ((), b"a\n\xff", "<stdin>:2: not UTF-8 (byte 0xff at column 1); convert the file to UTF-8"),
        (("--max-size=-1",), b"a", "--max-size: must be at least 0; got -1"),
        (("none",), b"", "none: cannot be read (No such file or directory)"),
        (
            ("--output", "/dev/null"),
            b"a",
            "/dev/null: cannot be written (not a regular file); use another name",
        ),
        (
            ("--output", tmp_path),
            b"a",
            f"{tmp_path}: cannot be written (not a regular file); use another name",
        ),
    ]:
        with pytest.raises(UserError) as error:
            command("vocab", *argv, stdin=stdin)
        assert str(error.value) == expected
