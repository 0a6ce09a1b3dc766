import pytest

from experiments.package_descriptions import first_words
from seq2seq_jax.config import load_config, resolve
from seq2seq_jax.utils.errors import UserError

HEADER = "package\tsource_package\tlong\tshort\n"


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """The dev set where the recipe expects it."""
    monkeypatch.setenv("SEQ2SEQ_JAX_CACHE", str(tmp_path))
    directory = tmp_path / "package_descriptions"
    directory.mkdir()
    rows = "one\tone\ta b c d\ta b\ntwo\ttwo\te f\tf e x x\n"
    (directory / "dev.tsv").write_text(HEADER + rows)
    return directory


def test_the_first_words_of_each_source_are_its_summary(script, corpus):
    out = script(first_words, "--words", 2, 4)
    head, two, four = (line.split() for line in out.splitlines())
    assert head == ["words", "rouge_1/f_score", "rouge_2/f_score", "rouge_l/f_score"]
    # Two words: `a b` is right; of `e f` both are in a reference of four, one of them in its order.
    assert two == ["2", "83.33", "50.00", "66.67"]
    # Four words: F1 of 2 of 4 and 2 of 2; of 2-grams 1 of 3 and 1 of 1.
    assert four == ["4", "66.67", "25.00", "50.00"]


def test_another_table_can_be_scored(script, corpus):
    (corpus / "other.tsv").write_text(HEADER + "one\tone\ta b\ta b\n")
    out = script(first_words, f"--file={corpus / 'other.tsv'}", "--words", 2)
    assert out.splitlines()[1].split() == ["2", "100.00", "100.00", "100.00"]


def test_a_table_without_pairs_is_refused(script, corpus):
    (corpus / "test.tsv").write_text(HEADER)
    with pytest.raises(UserError, match=r"test.tsv: contains no pairs"):
        script(first_words, "--split=test")


def test_the_recipe_reads_the_corpus_that_the_script_writes(corpus):
    config = resolve(load_config("experiments/package_descriptions/config.py"))
    assert config.input_pipeline_dev.params.files == str(corpus / "dev.tsv")
    assert config.input_pipeline_train.params.files == str(corpus / "train.tsv")
    assert config.best_metric == "rouge_l/f_score"
