import pytest

from seq2seq_jax.utils.errors import UserError

ROWS = ["walk\twalked\tV;PST", "talk\ttalks\tV;PRS", "go\twent\tV;PST"]
COLUMNS = ("--source-column=1", "--target-column=2", "--features-column=3")


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "train.tsv"
    file.write_text("\n".join(ROWS) + "\n")
    return file


def augment(command, table, *flags, output="new.tsv"):
    command("augment", table, table.parent / output, *flags)
    return (table.parent / output).read_text(encoding="utf-8").splitlines()


def test_new_rows_follow_those_of_the_table_with_their_other_columns(command, table):
    rows = augment(command, table, "--hallucinate=4", "--copy=2", *COLUMNS)

    assert rows[:3] == ROWS and len(rows) == 9
    endings = {"V;PST": "ed", "V;PRS": "s"}
    for row in rows[3:7]:
        lemma, form, features = row.split("\t")
        assert form == lemma + endings[features] and lemma not in ("walk", "talk")
    for row in rows[7:]:
        lemma, form, features = row.split("\t")
        assert lemma == form and features == "COPY"


def test_the_seed_decides_and_only_new_rows_can_be_written(command, table):
    flags = ("--hallucinate=5", "--only-new", *COLUMNS)
    first = augment(command, table, *flags)

    assert len(first) == 5
    assert augment(command, table, *flags) == first
    assert augment(command, table, *flags, "--seed=1") != first


def test_a_header_and_languages_stay_and_the_output_may_be_csv(command, tmp_path):
    table = tmp_path / "train.csv"
    table.write_text("lemma,form,lang\nwalk,walked,eng\nдома,домам,rus\n")

    rows = augment(command, table, "--hallucinate=6", "--language-column=lang", output="new.csv")

    assert rows[0] == "lemma,form,lang" and len(rows) == 9
    assert {row.split(",")[2] for row in rows[3:]} == {"eng", "rus"}
    assert all(row.isascii() == row.endswith("eng") for row in rows[3:])


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        ((), "--hallucinate: is 0, and so is --copy"),
        (("--copy=-1",), "--copy: must be 0 to 10000000; got -1"),
        (("--copy=1", "--source-column=7", "--target-column=2"), "has no column '7'"),
        (("--hallucinate=1", "--source-column=3", "--target-column=2"), "so there are no stems"),
    ],
)
def test_wrong_arguments_are_reported_and_nothing_is_written(command, table, flags, error):
    with pytest.raises(UserError) as caught:
        augment(command, table, *flags)
    assert error in str(caught.value)
    assert not (table.parent / "new.tsv").exists()


def test_an_output_that_is_no_table_is_reported(command, table):
    with pytest.raises(UserError, match=r"must end in \.tsv or \.csv"):
        augment(command, table, "--copy=1", *COLUMNS, output="new.txt")
