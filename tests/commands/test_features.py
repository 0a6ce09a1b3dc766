"""Commands on a model that reads features, from the table to the page of errors."""

import json

import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.utils.errors import UserError

CELL = "params.rnn_cell.cell_params.num_units=6"
SMALL = [
    f"--config.encoder.{CELL}", f"--config.decoder.{CELL}", "--config.attention.params.num_units=6",
    "--config.embedding.dim=6", "--config.batch_size=8", "--config.log_every_n_steps=1",
    "--config.inference.max_decode_length=8", "--config.buckets=12",
]  # fmt: skip
CHARACTERS = [
    f"--config.input_pipeline_train.params.{side}_delimiter=" for side in ("source", "target")
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("inflection")


@pytest.fixture(scope="module")
def table(directory):
    tags = {"": "V;NFIN", "s": "V;PRS;SG(3)", "ed": "V;PST"}
    rows = [
        f"{a}{b}{c}\t{a}{b}{c}{ending}\t{features}"
        for a in "bdg" for b in "aei" for c in "klm" for ending, features in tags.items()
    ]  # fmt: skip
    path = directory / "train.tsv"
    path.write_text("\n".join(rows) + "\n")
    (directory / "dev.tsv").write_text("\n".join(rows[::9]) + "\nbal\tballing\tV;V.PTCP;PRS\n")
    (directory / "inputs.tsv").write_text("bak\tV;PST\nbak\tPST;V\nbak\t\ndel\tFUT;V\n")
    return path


@pytest.fixture(scope="module")
def train(table, directory):
    def run(name: str, *flags: str) -> list[str]:
        return [
            "--config=configs/tiny.py",
            f"--workdir={directory / name}",
            f"--train-file={table}",
            f"--dev-file={directory / 'dev.tsv'}",
            "--features-column=3",
            *CHARACTERS,
            *SMALL,
            *flags,
        ]

    return run


@pytest.fixture
def workdir(train, directory):
    """Return a workdir that is trained once."""
    if (directory / "run").exists():
        return directory / "run"
    hook = "--config.hooks=TrainSampleHook"
    metrics = "--config.metrics=LogPerplexityMetricSpec,AccuracyMetricSpec"
    steps = ["--config.train_steps=4", "--config.eval_every_n_steps=4"]
    assert main(["train", *train("run", hook, metrics, *steps)]) == 0
    return directory / "run"


def test_a_column_of_features_is_enough_to_train_a_model_that_reads_them(workdir, directory):
    config = json.loads((workdir / "config.json").read_text())
    assert config["features"]["combine"] == "source"
    assert config["input_pipeline_dev"]["params"]["features_column"] == "3"
    features = (workdir / "vocab.features.txt").read_text().split()
    assert sorted(features) == ["NFIN", "PRS", "PST", "SG", "SG(3)", "V"]


def test_a_run_with_features_is_prepared_resumed_and_evaluated(workdir, train, command, capsys):
    more = train("run", "--config.hooks=TrainSampleHook", "--config.train_steps=6",
                 "--config.metrics=LogPerplexityMetricSpec,AccuracyMetricSpec",
                 "--config.eval_every_n_steps=4")  # fmt: skip
    capsys.readouterr()
    assert main(["train", *more]) == 0
    err = capsys.readouterr().err
    assert "Resuming from step 4" in err
    assert "Features           2.7 per pair" in err
    assert "  unknown          V.PTCP" in err
    out, err = command("eval", f"--workdir={workdir}")
    assert "sequence_accuracy" in out
    out, err = command("prepare", *[flag for flag in more if not flag.startswith("--workdir")])
    assert "9 features" in out + err
    with pytest.raises(UserError, match=r"features_column: is empty, but the model reads features"):
        command("eval", f"--workdir={workdir}",
                "--config.input_pipeline_dev.params.features_column=")  # fmt: skip


def test_infer_reads_features_from_a_second_column(workdir, command, directory, caplog):
    plain, _ = command("infer", f"--workdir={workdir}", f"--input={directory / 'inputs.tsv'}")
    lines = plain.splitlines()
    assert len(lines) == 4 and lines[0] == lines[1]
    assert "count as UNK: FUT" in caplog.text
    out, _ = command("infer", f"--workdir={workdir}", "--json", "--attention", "bak\tV;PST")
    found = json.loads(out)
    assert list(found)[:3] == ["source", "features", "text"]
    assert (found["source"], found["features"], found["text"]) == ("bak", "V;PST", lines[0])
    assert {len(row) for row in found["attention"]} == {len("bak") + 1 + 2}


@pytest.mark.parametrize("line", ["bak", "bak\tV\tPST"])
def test_a_line_without_two_columns_is_one_error_after_the_lines_before_it(
    workdir, command, tmp_path, line, capsys
):
    path = tmp_path / "inputs.tsv"
    path.write_text(f"bak\tV;PST\n{line}\n")
    with pytest.raises(UserError, match=r"inputs\.tsv:2: .* tabs; it must be source, tab, "):
        command("infer", f"--workdir={workdir}", f"--input={path}")


def test_score_reads_features_from_a_third_column_or_file(workdir, command, directory, table):
    whole, _ = command("score", f"--workdir={workdir}", f"--input={directory / 'dev.tsv'}")
    columns = zip(*(row.split("\t") for row in (directory / "dev.tsv").read_text().splitlines()),
                  strict=True)  # fmt: skip
    for name, column in zip(("s", "t", "f"), columns, strict=True):
        (directory / name).write_text("\n".join(column) + "\n")
    files = [f"--source={directory / 's'}", f"--target={directory / 't'}"]
    parts, _ = command("score", f"--workdir={workdir}", *files, f"--features={directory / 'f'}")
    assert parts == whole and len(whole.splitlines()) == 10
    with pytest.raises(UserError, match="--features: is missing, and the model reads features"):
        command("score", f"--workdir={workdir}", *files)
    with pytest.raises(UserError, match=r"s:1: .* has 0 tabs; it must be source, tab, target, tab"):
        command("score", f"--workdir={workdir}", f"--input={directory / 's'}")


def test_plots_and_reports_show_features(workdir, command, directory, tmp_path):
    lines = f"--input={directory / 'inputs.tsv'}"
    command("attention", f"--workdir={workdir}", lines, f"--output={tmp_path / 'plots'}")
    assert len(list((tmp_path / "plots").glob("*.png"))) == 4
    command("beam-tree", f"--workdir={workdir}", "bak\tV;PST", f"--output={tmp_path / 'trees'}",
            "--config.inference.beam_search.beam_width=2")  # fmt: skip
    assert "V;PST" in (tmp_path / "trees" / "00000.html").read_text()
    command("errors", f"--workdir={workdir}", f"--output={tmp_path / 'errors.html'}")
    assert "[NFIN]" in (tmp_path / "errors.html").read_text()
    logged = "\n".join(map(str, (workdir / "metrics.jsonl").read_text().splitlines()))
    assert "features    " in logged


def test_features_that_a_model_does_not_read_are_a_warning(train, command, caplog, directory):
    _, err = command("prepare", *[f for f in train("x") if not f.startswith("--workdir")],
                       "--config.features.combine=none")  # fmt: skip
    assert "features are read, but not used by the model" in caplog.text + err


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (
            ["--config.features.combine=source", "--config=configs/tiny.py"],
            r"input_pipeline_train\.params\.features_files: is empty, but the model reads features",
        ),
        (
            ["--config=configs/image_captioning.py", "--config.features.combine=source"],
            "features.combine: unknown key features",
        ),
        (
            ["--config=configs/image_captioning.py", "--train-file=x.tsv", "--features-column=3"],
            "--train-file: ",
        ),
        (["--config=configs/tiny.py", "--features-column=3"], "--features-column: needs a table"),
        (
            ["--config=configs/tiny.py", "--config.features.encoder.class=Mean"],
            r"features\.encoder\.class: ",
        ),
        (
            [
                "--config=configs/tiny.py",
                "--config.features.encoder.class=PoolingEncoder",
                "--config.features.max_seq_len=200",
            ],
            r"features\.encoder\.params\.position_embeddings\.num_positions: must be at least feat",
        ),
    ],
)
def test_settings_of_features_that_do_not_fit_are_one_line(command, flags, what):
    with pytest.raises(UserError, match=what):
        command("train", "--workdir=nowhere", *flags)
