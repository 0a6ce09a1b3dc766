"""Lines through real pipes."""

import io
import os
import select
import sys
import threading

import pytest

from seq2seq_jax.inference.lines import chunked, line_chunks, stream_chunks
from seq2seq_jax.utils.errors import UserError

PATIENCE = 20  # seconds until a test gives up


def shout(texts):
    return [text.upper() for text in texts]


def answer_lines(answer, chunks, sink):
    """What a command does: write an answer to each line of a chunk before reading the next one."""
    for lines in chunks:
        sink.writelines(f"{text}\n" for text in answer(lines))
        sink.flush()


def answers_to(content, answer=shout, limit=100):
    """What is written for an input that is there all at once."""
    reading, writing = os.pipe()
    sink = io.StringIO()
    with open(reading, "rb") as source:
        writer = threading.Thread(target=_write_all, args=(writing, content))
        writer.start()
        answer_lines(answer, stream_chunks(source, "<stdin>", limit), sink)
        writer.join()
    return sink.getvalue()


def _write_all(descriptor, content):
    with open(descriptor, "wb") as file:
        file.write(content)


def test_a_line_is_answered_before_the_next_one_comes():
    source_end, typing = os.pipe()
    reading, sink_end = os.pipe()
    with (
        open(source_end, "rb") as source,
        open(sink_end, "w") as sink,
        open(typing, "wb", buffering=0) as keyboard,
        open(reading, "rb", buffering=0) as screen,
    ):
        answering = threading.Thread(
            target=answer_lines, args=(shout, stream_chunks(source, "-", 9), sink)
        )
        answering.start()
        for typed, answered in ((b"one\n", b"ONE\n"), (b"\n", b"\n"), (b"two\n", b"TWO\n")):
            keyboard.write(typed)
            assert select.select([screen], [], [], PATIENCE)[0], "no answer"
            assert screen.read(100) == answered
        keyboard.close()
        answering.join(PATIENCE)
        assert not answering.is_alive()


def test_half_a_line_is_not_answered_until_it_is_whole():
    source_end, typing = os.pipe()
    seen, answered = [], threading.Event()

    def answer(texts):
        seen.extend(texts)
        answered.set()
        return texts

    with open(source_end, "rb") as source, open(typing, "wb", buffering=0) as keyboard:
        answering = threading.Thread(
            target=answer_lines, args=(answer, stream_chunks(source, "-", 9), io.StringIO())
        )
        answering.start()
        keyboard.write(b"tran")
        assert not answered.wait(0.1)
        keyboard.write(b"sformer\n")
        assert answered.wait(PATIENCE)
        assert seen == ["transformer"]
        keyboard.close()
        answering.join(PATIENCE)


@pytest.mark.parametrize(
    ("content", "written"),
    [
        (b"", ""),
        (b"a\nb\n", "A\nB\n"),
        (b"a\nb", "A\nB\n"),
        (b"\n", "\n"),
        (b"\n\na\n\n", "\n\nA\n\n"),
        (b"a\r\nb\r\n\r\n", "A\nB\n\n"),
        ("ä\x85b\u2028c\x0cd\n".encode(), "Ä\x85B\u2028C\x0cD\n"),
        (b"\xef\xbb\xbfa\n", "A\n"),
    ],
    ids=["nothing", "lines", "no end", "one empty", "empty", "CRLF", "other separators", "mark"],
)
def test_one_line_out_for_each_line_in(content, written):
    assert answers_to(content) == written


def test_many_lines_keep_their_order_and_come_in_chunks():
    sizes = []

    def answer(texts):
        sizes.append(len(texts))
        return shout(texts)

    lines = [f"line {i}" for i in range(20_000)]
    written = answers_to("\n".join(lines).encode(), answer, limit=64)
    assert written.splitlines() == shout(lines)
    assert max(sizes) == 64
    assert len(sizes) < 2 * len(lines) / 64 + 20


def test_a_file_is_read_as_well_as_a_pipe(tmp_path):
    (tmp_path / "in").write_bytes(b"a\n\nb")
    sink = io.StringIO()
    with open(tmp_path / "in", "rb") as source:
        answer_lines(shout, stream_chunks(source, "in", 2), sink)
    assert sink.getvalue() == "A\n\nB\n"


def test_a_line_that_is_not_utf8_is_named_after_the_lines_before_it_are_answered():
    sink = io.StringIO()
    reading, writing = os.pipe()
    _write_all(writing, b"a\nb\nc\xff\nd\n")
    with (
        open(reading, "rb") as source,
        pytest.raises(UserError, match=r"^<stdin>:3: not UTF-8 \(byte 0xff at column 2\)"),
    ):
        answer_lines(shout, stream_chunks(source, "<stdin>", 2), sink)
    assert sink.getvalue() == "A\nB\n"


def test_a_line_without_end_is_refused_before_it_fills_the_memory(monkeypatch):
    monkeypatch.setattr("seq2seq_jax.inference.lines.MAX_LINE_BYTES", 100_000)
    sink = io.StringIO()
    reading, writing = os.pipe()
    with open(reading, "rb") as source:
        writer = threading.Thread(target=_write_all, args=(writing, b"a\n" + b"b" * 200_000))
        writer.start()
        with pytest.raises(UserError, match=r"^<stdin>:2: longer than 100,000 bytes"):
            answer_lines(shout, stream_chunks(source, "<stdin>", 2), sink)
        while os.read(reading, 1 << 16):  # the writer waits for it
            pass
        writer.join(PATIENCE)
    assert sink.getvalue() == "A\n"


def test_chunks_end_with_the_lines_and_before_an_error():
    def lines():
        yield from "abc"
        raise UserError("x", "y")

    chunks = chunked(lines(), 2)
    assert [next(chunks), next(chunks)] == [["a", "b"], ["c"]]
    with pytest.raises(UserError):
        next(chunks)
    assert list(chunked("abcd", 2)) == [["a", "b"], ["c", "d"]]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_is_told_when_input_is_expected(monkeypatch, capsys):
    import pty

    ours, theirs = pty.openpty()
    with open(theirs, encoding="utf-8") as stdin, open(ours, "wb", buffering=0) as keyboard:
        monkeypatch.setattr(sys, "stdin", stdin)
        chunks = line_chunks(None, 3, "a word")
        assert capsys.readouterr().err == ""  # the model is not loaded yet
        keyboard.write(b"a b\n")
        assert next(chunks) == ["a b"]
        said = capsys.readouterr()
        assert said.err == "Ready: type a word and press Enter; press Ctrl-D to end.\n"
        assert said.out == ""
        keyboard.write(b"\x04")
        assert list(chunks) == []


def test_a_pipe_is_told_nothing(monkeypatch, capsys):
    reader, writer = os.pipe()
    os.write(writer, b"a\n")
    os.close(writer)
    with open(reader, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert list(line_chunks(None, 3)) == [["a"]]
    assert capsys.readouterr().err == ""
