import pytest

from seq2seq_jax.utils.errors import UserError

CONFIG = """
from seq2seq_jax.config import default_config


def get_config():
    config = default_config("AttentionSeq2Seq")
    config.input_pipeline_dev.params = {"source_files": "dev.long", "target_files": "dev.short"}
    config.source.lowercase = True
    return config
"""


@pytest.fixture
def _a_corpus(tmp_path, monkeypatch):
    (tmp_path / "config.py").write_text(CONFIG)
    (tmp_path / "dev.long").write_text("A b c d\ne f\n")
    (tmp_path / "dev.short").write_text("a b\nf e x x\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_a_corpus")
def test_the_first_words_of_each_source_are_its_summary(command):
    out, _ = command("first_words", "--config=config.py", "--words", "2", "4")
    head, two, four = (line.split() for line in out.splitlines())
    assert head == ["words", "rouge_1/f_score", "rouge_2/f_score", "rouge_l/f_score"]
    # Two words: `a b` is right; of `e f` both are in a reference of four, one of them in its order.
    assert two == ["2", "83.33", "50.00", "66.67"]
    # Four words: F1 of 2 of 4 and 2 of 2; of 2-grams 1 of 3 and 1 of 1.
    assert four == ["4", "66.67", "25.00", "50.00"]


@pytest.mark.usefixtures("_a_corpus")
def test_less_than_one_word_is_refused(command):
    with pytest.raises(UserError, match=r"^--words: must be 1 or more; got 0"):
        command("first_words", "--config=config.py", "--words", "0")
