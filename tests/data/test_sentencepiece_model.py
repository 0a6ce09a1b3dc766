import logging
import subprocess
import sys

import pytest

from seq2seq_jax.data import sentencepiece_model
from seq2seq_jax.data.sentencepiece_model import (
    load_sentencepiece,
    read_sentencepiece,
    train_sentencepiece,
)
from seq2seq_jax.utils.atomic_io import atomic_write
from seq2seq_jax.utils.errors import UserError

SUBJECTS = ["der Hund", "die Katze", "ein Straßenbahnfahrer", "niemand", "das Häuschen"]
VERBS = ["schläft", "läuft", "unterrichtet", "übersetzt", "verschwindet", "bellt"]
PLACES = ["im Haus", "hinter den Häusern", "am Bahnhof", "in der Straßenbahn", "überall"]
LINES = [f"{who} {does} {where}." for who in SUBJECTS for does in VERBS for where in PLACES]


def pieces(model: bytes) -> list[str]:
    processor = load_sentencepiece(model, "model")
    return [processor.id_to_piece(i) for i in range(processor.get_piece_size())]


def message(run) -> str:
    with pytest.raises(UserError) as error:
        run()
    return str(error.value)


@pytest.mark.parametrize("model_type", ["unigram", "bpe", "char", "word"])
def test_every_type_of_model_encodes_and_decodes_text(model_type):
    processor = load_sentencepiece(train_sentencepiece(LINES, 60, model_type=model_type), "model")
    parts = processor.encode(LINES[7], out_type=str)
    assert processor.decode(parts) == LINES[7]
    assert len(parts) == {"char": len(LINES[7]) + 1, "word": 5}.get(model_type, len(parts))


def test_a_model_has_the_requested_number_of_pieces_and_one_special_token():
    found = pieces(train_sentencepiece(LINES, 50))
    assert len(found) == 50
    assert [piece for piece in found if piece.startswith("<")] == ["<unk>"]


def test_the_same_lines_make_the_same_model_in_every_process():
    program = (
        "import hashlib, sys; from seq2seq_jax.data import sentencepiece_model as model;"
        "model.MAX_TRAINING_LINES = 100;"
        "lines = sys.stdin.buffer.read().decode().split('\\n');"
        "print(hashlib.sha256(model.train_sentencepiece(lines, 60)).hexdigest())"
    )
    command = [sys.executable, "-c", program]
    text = "\n".join(LINES).encode()
    runs = [subprocess.run(command, input=text, capture_output=True, check=True) for _ in "12"]
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stderr == b""


def test_a_model_is_trained_on_a_random_sample_of_many_lines(monkeypatch):
    seen = []
    monkeypatch.setattr(sentencepiece_model, "MAX_TRAINING_LINES", 100)
    monkeypatch.setitem(sys.modules, "sentencepiece", Library(seen))
    for _ in range(2):
        with pytest.raises(AssertionError):
            train_sentencepiece(map(str, range(10_000)), 10)
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 100
    assert 3000 < sum(map(int, seen[0])) / 100 < 7000


class Library:
    """A replacement for sentencepiece that records the lines it receives."""

    def __init__(self, seen: list[list[str]]):
        self.seen, self.SentencePieceTrainer = seen, self

    def train(self, sentence_iterator, **_):
        self.seen.append(list(sentence_iterator))
        raise AssertionError


def test_a_text_with_fewer_pieces_than_requested_is_logged(caplog):
    with caplog.at_level(logging.INFO, "seq2seq_jax"):
        assert len(pieces(train_sentencepiece(["a b c", "hello world"], 8000))) == 12
    assert caplog.messages == ["SentencePiece found 12 pieces in the text; subwords.size is 8,000"]


def test_a_size_below_the_number_of_characters_is_an_error_that_names_the_minimum():
    text = message(lambda: train_sentencepiece(LINES, 5))
    least = int(text.removeprefix("subwords.size: must be at least ").split()[0])
    assert text.endswith("for the characters of this text; got 5")
    train_sentencepiece(LINES, least)


@pytest.mark.parametrize("lines", [[], ["", "  "]])
def test_lines_without_text_are_an_error(lines):
    assert message(lambda: train_sentencepiece(lines, 80)) == (
        "subwords.size: no line of the training data has text from which subwords can be learned"
    )


def test_an_error_while_lines_are_read_is_passed_on():
    def lines():
        yield "a line"
        raise UserError("file:2", "not UTF-8")

    assert message(lambda: train_sentencepiece(lines(), 80)) == "file:2: not UTF-8"


def test_a_line_of_any_length_is_encoded():
    processor = load_sentencepiece(train_sentencepiece(LINES, 50), "model")
    for line in ("x" * 300_000, "笑" * 300_000, "Haus " * 60_000, "a\0b\n" * 1000):
        assert processor.encode(line, out_type=str)


def test_a_model_is_read_back_from_its_file_and_no_other_file_is_left(tmp_path):
    model = train_sentencepiece(LINES, 60)
    for _ in range(2):
        atomic_write(tmp_path / "model", model)
    assert read_sentencepiece(tmp_path / "model") == model
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("content", [b"", b"#version: 0.2\na b\n", b"\x0a\x00", "cut"])
def test_a_file_that_is_not_a_model_is_an_error(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(train_sentencepiece(LINES, 60)[:1000] if content == "cut" else content)
    assert message(lambda: read_sentencepiece(path)) == (
        f"{path}: is not a SentencePiece model; use a file NAME.model that sentencepiece wrote"
    )


def test_a_missing_file_and_a_missing_library_are_errors(monkeypatch):
    assert message(lambda: read_sentencepiece("nowhere")).startswith("nowhere: cannot be read")
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    assert message(lambda: train_sentencepiece(LINES, 60)) == (
        "subwords.kind: sentencepiece is not installed: pip install sentencepiece"
    )
