import pytest

from seq2seq_jax.data.readers.language_files import language_files
from seq2seq_jax.utils.errors import UserError


def find(files, languages=""):
    return language_files(str(files), languages, "input_pipeline_train.params", "files")


@pytest.fixture
def folder(tmp_path):
    for name in ("dut_train.tsv", "hbs_latn_train.tsv", "dut_dev.tsv", "other.txt"):
        (tmp_path / name).touch()
    (tmp_path / "low" / "ice").mkdir(parents=True)
    for name in ("ice_train.tsv", "odd_train.tsv"):
        (tmp_path / "low" / "ice" / name).touch()
    return tmp_path


def test_file_names_tell_the_languages_of_all_files_that_exist(folder):
    assert find(folder / "{language}_train.tsv") == [
        (f"{folder}/dut_train.tsv", "dut"),
        (f"{folder}/hbs_latn_train.tsv", "hbs_latn"),
    ]


def test_other_wildcards_may_stand_next_to_the_language(folder):
    assert [name for _, name in find(folder / "*" / "*" / "{language}_train.tsv")] == ["ice", "odd"]
    assert find(folder / "*/{language}/{language}_train.tsv") == [
        (f"{folder}/low/ice/ice_train.tsv", "ice")
    ]
    assert len(find(folder / "**" / "{language}_train.tsv")) == 4


def test_languages_choose_among_the_files_in_their_order(folder):
    assert find(folder / "{language}_train.tsv", "hbs_latn, dut") == [
        (f"{folder}/hbs_latn_train.tsv", "hbs_latn"),
        (f"{folder}/dut_train.tsv", "dut"),
    ]


def test_a_list_of_languages_names_that_of_each_file():
    assert find("a.tsv,b.tsv", "dut,dut") == [("a.tsv", "dut"), ("b.tsv", "dut")]
    assert find("a.tsv,b.tsv") == [("a.tsv", ""), ("b.tsv", "")]
    assert find("", "dut") == []


@pytest.mark.parametrize(
    ("files", "languages", "error"),
    [
        ("a.tsv,b.tsv", "dut", "languages: must name the language of each of the 2 files; got 1"),
        ("{language}.tsv", "dut,dut", "languages: has a language twice"),
        ("{language}.tsv,b.tsv", "dut", "files: has names with {language} and others, such as b"),
        ("missing/{language}.tsv", "", "missing/*.tsv: matches no file"),
        ("a.tsv", "two words", "languages: a language must be a name without blanks"),
    ],
)
def test_files_and_languages_that_do_not_fit_are_reported(files, languages, error):
    with pytest.raises(UserError) as caught:
        find(files, languages)
    assert error in str(caught.value)
