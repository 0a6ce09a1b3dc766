"""`eval` and `errors` with groupings of the dev set, and `eval` with files of predictions."""

import json

import pytest

from seq2seq_jax.utils.errors import UserError
from tests.tiny_workdir import tiny_run

TRAIN = "a b\ta\tX;Y\nc\tb\tZ\n"
DEV = "a b\tc\tY;X\nb a\tb\tZ\nc c\ta a\tW\na b\td\tX;Y\nc\tb\tW;Z\n"


@pytest.fixture(scope="module")
def run_path(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs")
    files = {}
    for part, table in (("train", TRAIN), ("dev", DEV)):
        columns = zip(*(row.split("\t") for row in table.splitlines()), strict=True)
        for name, column in zip(("source", "target", "features"), columns, strict=True):
            path = directory / f"{part}.{name}"
            path.write_text("".join(f"{text}\n" for text in column))
            files[f"input_pipeline_{part}__params__{name}_files"] = path
    tiny_run(directory / "one", {10: 6}, features__combine="none", **files)
    return directory / "one"


def results(command, run_path, *flags):
    metrics = "--config.metrics=ErrorRateMetricSpec,AccuracyMetricSpec"
    return command("eval", f"--workdir={run_path}", metrics, *flags)


def test_each_grouping_has_a_table(command, run_path):
    out, _ = results(command, run_path, "--by=overlap,length,feature")
    tables = [table.splitlines() for table in out.split("\n\n")[1:]]
    overlap, length, feature = ([line.split()[0] for line in table[1:]] for table in tables)
    assert overlap == ["both", "lemma", "features", "neither"]
    assert length == ["1", "2"]
    assert feature == ["W", "Z", "X", "Y"]
    assert tables[0][0].split()[:2] == ["overlap", "sources"]


def test_the_groups_are_in_the_json(command, run_path):
    out, _ = results(command, run_path, "--by=overlap", "--json")
    groups = json.loads(out)["overlap"]["groups"]
    assert {name: group["sources"] for name, group in groups.items()} == {
        "both": 1, "lemma": 1, "features": 1, "neither": 1
    }  # fmt: skip
    assert set(groups["both"]) > {"token_error_rate", "sequence_accuracy"}


def test_an_unknown_grouping_is_an_error(command, run_path):
    with pytest.raises(UserError, match=r"--by: unknown grouping lenght, did you mean length\?"):
        results(command, run_path, "--by=lenght")


def test_predictions_have_the_rows_of_the_dev_table(command, run_path, tmp_path):
    _, err = results(command, run_path, f"--predictions={tmp_path}/new.tsv")
    rows = [line.split("\t") for line in (tmp_path / "new.tsv").read_text().splitlines()]
    gold = [line.split("\t") for line in DEV.splitlines()]
    assert [(row[0], row[2]) for row in rows] == [(row[0], row[2]) for row in gold]
    assert rows[0][1] == rows[3][1]
    texts = command("infer", f"--workdir={run_path}", *(row[0] for row in gold))[0].splitlines()
    assert [row[1] for row in rows] == texts
    assert f"Predictions in {tmp_path}/new.tsv" in err


def test_the_error_report_has_the_tables_and_the_characters(command, run_path, tmp_path, data_of):
    page = tmp_path / "errors.html"
    out, _ = command(
        "errors", f"--workdir={run_path}", "--by=overlap", "--characters", f"--output={page}"
    )
    assert "overlap   sources" in out
    groups = data_of(page)["groups"]["overlap"]["groups"]
    assert groups["both"]["sources"] == 1
    assert " " in data_of(page)["matrix"]["tokens"]
