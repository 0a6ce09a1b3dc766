"""Training on tables that flags name."""

import gzip
import json

import pytest

from seq2seq_jax.cli import main, parse_arguments
from seq2seq_jax.commands.data.data_flags import data_overrides
from seq2seq_jax.config import default_config, load_config, resolve
from seq2seq_jax.data.readers.tabular_text import TSVInputPipeline, is_held_out
from seq2seq_jax.utils.errors import UserError

TRAIN, DEV = "input_pipeline_train", "input_pipeline_dev"
PAIRS = [(f"w o {i % 7} {i % 5}", f"{i % 5} {i % 7}") for i in range(60)]


@pytest.fixture
def table(tmp_path):
    def write(name: str, rows=PAIRS, separator: str = "\t") -> str:
        content = "".join(f"{separator.join(row)}\n" for row in rows).encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return str(path)

    return write


def resolved(*flags: str, command: str = "train", config=None):
    arguments, overrides = parse_arguments([command, "--config=configs/tiny.py", *flags])
    config = config or load_config("configs/tiny.py")
    return resolve(config, data_overrides(arguments, config, overrides))


def resolved_log(capsys, *flags: str) -> str:
    capsys.readouterr()
    resolved(*flags, "--no-dev")
    return capsys.readouterr().err


def read(config, key: str):
    params = config[key].params
    names = ("files", "source_column", "target_column", "format", "header", "part", "dev_fraction")
    return list(TSVInputPipeline(**{name: params[name] for name in names}, key=key))


@pytest.mark.parametrize("command", ["train", "prepare"])
def test_two_flags_set_both_input_pipelines(table, capsys, command):
    header = [("lemma", "form"), *PAIRS]
    train, dev = table("a.tsv"), table("b.csv.gz", header[:9], ",")
    config = resolved(f"--train-file={train}", f"--dev-file={dev}", command=command)
    assert read(config, TRAIN) == PAIRS
    assert read(config, DEV) == PAIRS[:8]
    lines = capsys.readouterr().err.splitlines()
    assert f"{train}: no header: the first row, 'w o 0 0' and '0 0', is a pair" in lines[0]
    assert f"{dev}: column names found: lemma, form; lemma -> form" in lines[1]
    assert lines[2] == "Tokens: sources at ' ' and targets at ' '"


def test_the_recipe_decides_how_sides_are_split(table, capsys):
    flags = f"--train-file={table('a.tsv')}", f"--dev-file={table('b.tsv')}"
    config = resolved(*flags, config=load_config("configs/g2p.py"))
    for key in (TRAIN, DEV):
        assert config[key].params.source_delimiter == ""
        assert config[key].params.target_delimiter == " "
    assert "Tokens: sources into characters and targets at ' '" in capsys.readouterr().err


def test_the_dev_set_follows_the_delimiters_of_the_training_set(table):
    flags = f"--train-file={table('a.tsv')}", f"--dev-file={table('b.tsv')}"
    config = resolved(*flags, f"--config.{TRAIN}.params.source_delimiter=")
    assert config[DEV].params.source_delimiter == ""
    own = resolved(*flags, f"--config.{DEV}.params.target_delimiter=|")
    assert own[DEV].params.target_delimiter == "|"


def test_words_without_delimiters_are_pointed_out(table, capsys):
    resolved(f"--train-file={table('a.tsv', [('cat', 'K AE T'), ('dog', 'D AO G')])}", "--no-dev")
    assert "every source is one token; for characters use --config." in capsys.readouterr().err


def test_without_a_dev_file_a_fraction_of_the_sources_is_held_out(table, capsys):
    rows = [(f"source {i // 2}", f"{i}") for i in range(1000)]
    train = table("a.tsv", rows)
    config = resolved(f"--train-file={train}", "--dev-fraction=0.2")
    train_pairs, dev_pairs = read(config, TRAIN), read(config, DEV)
    assert sorted([*train_pairs, *dev_pairs]) == sorted(rows)
    assert not {s for s, _ in train_pairs} & {s for s, _ in dev_pairs}
    assert 140 < len(dev_pairs) < 260
    assert "Dev set: 20.0% of the sources" in capsys.readouterr().err
    default = resolved(f"--train-file={table('b.tsv', rows[::-1])}")
    assert 50 < len(read(default, DEV)) < 150
    assert set(read(default, DEV)) <= set(dev_pairs)


def test_equal_sources_are_on_the_same_side():
    for i in range(50):
        same = {is_held_out(text, 0.5) for text in (f"Caf\u00e9 {i}", f" cafe\u0301  {i}")}
        assert len(same) == 1


def test_training_without_a_dev_set_is_one_flag(table):
    config = resolved(f"--train-file={table('a.tsv')}", "--no-dev")
    assert config.eval_every_n_steps == 0
    assert config[DEV].params.files == ""  # not the dev set of the recipe
    assert resolved("--no-dev")[TRAIN].params.builtin == "toy_reverse"


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--no-dev", "--dev-file=x"], "--no-dev: contradicts --dev-file"),
        (["--train-file=x", "--dev-file=x", "--dev-fraction=0.1"], "contradicts --dev-file"),
        (["--dev-fraction=0.1"], "--dev-fraction: needs --train-file"),
        (["--train-file=x", "--dev-fraction=1"], "must be above 0 and below 1; got 1.0"),
        (["--source-column=1"], "--source-column: needs a table"),
        (["--train-file="], "--train-file: is empty"),
        (["--train-file=missing.tsv"], "missing.tsv: cannot be read"),
    ],
)
def test_flags_that_cannot_be_used_are_one_line(flags, what):
    with pytest.raises(UserError, match=what):
        resolved(*flags)


def test_a_table_that_is_too_small_to_be_divided_is_refused(table):
    with pytest.raises(
        UserError, match=r"--dev-fraction: 0\.1 of the sources of .* holds out none"
    ):
        resolved(f"--train-file={table('a.tsv', [('a', 'b')])}")


def test_three_columns_without_a_header_need_the_flags_of_columns(table):
    path = table("a.tsv", [("be", "is", "V;PRS"), ("go", "goes", "V;PRS")])
    with pytest.raises(UserError, match=r"a\.tsv:1: has 3 columns .*--source-column and --target"):
        resolved(f"--train-file={path}", "--no-dev")
    config = resolved(f"--train-file={path}", "--source-column=1", "--target-column=3", "--no-dev")
    assert read(config, TRAIN) == [("be", "V;PRS"), ("go", "V;PRS")]


def test_a_flag_names_the_column_of_features_of_both_sets(table, capsys):
    rows = [("be", "is", "V;PRS"), ("go", "goes", "V;PRS")]
    train, dev = table("a.tsv", rows), table("b.tsv", [("lemma", "form", "tags"), *rows])
    with pytest.raises(UserError, match=r"a\.tsv: has no column '4'"):
        resolved(f"--train-file={train}", f"--dev-file={dev}", "--features-column=4")
    config = resolved(f"--train-file={train}", f"--dev-file={dev}", "--features-column=3")
    assert config[TRAIN].params.features_column == "3"
    assert config[DEV].params.features_column == "tags"
    assert "features in column 3" in capsys.readouterr().err
    assert "features at ';'" in resolved_log(capsys, f"--train-file={train}", "--features-column=3")
    hint = "The column tags is not read; --features-column=tags reads it as features"
    assert hint in resolved_log(capsys, f"--train-file={dev}")
    again = resolved(f"--dev-file={train}", command="train", config=config)
    assert again[DEV].params.features_column == "3"


def test_tables_of_one_set_must_have_the_same_columns(table):
    files = f"{table('a.tsv')},{table('b.tsv', [('source', 'target'), *PAIRS])}"
    with pytest.raises(UserError, match="has other columns than"):
        resolved(f"--train-file={files}", "--no-dev")


def test_images_have_no_tables(table):
    with pytest.raises(UserError, match="--train-file: "):
        resolved(f"--train-file={table('a.tsv')}", "--no-dev", config=default_config("Image2Seq"))


def test_a_run_on_tables_is_trained_resumed_and_evaluated(table, tmp_path, capsys):
    workdir = tmp_path / "run"
    command = [
        "train", "--config=configs/tiny.py", f"--workdir={workdir}",
        f"--train-file={table('a.tsv')}", "--dev-fraction=0.3", "--config.train_steps=2",
        "--config.embedding.dim=4",
    ]  # fmt: skip
    assert main(command) == 0
    written = json.loads((workdir / "config.json").read_text())
    assert written[DEV]["params"]["part"] == "dev"
    assert main([*command[:-2], "--config.train_steps=4", command[-1]]) == 0
    assert "Resuming from step 2" in capsys.readouterr().err
    assert main(["eval", f"--workdir={workdir}"]) == 0
    assert "Dev set  " in capsys.readouterr().err
    assert main(["eval", f"--workdir={workdir}", f"--dev-file={table('b.tsv', PAIRS[:5])}"]) == 0
    assert "5 read, 5 kept" in capsys.readouterr().err
