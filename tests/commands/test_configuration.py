"""The commands configs, config and init."""

import json
import re

import pytest
import yaml

from seq2seq_jax.cli import main
from seq2seq_jax.config import load_config, resolve
from seq2seq_jax.config.recipes import recipe_files
from seq2seq_jax.storage.metrics_log import read_metrics

SHORT = [
    "--config.train_steps=2",
    "--config.eval_every_n_steps=2",
    "--config.embedding.dim=8",
    "--config.decoder.params.rnn_cell.cell_params.num_units=8",
    "--config.attention.params.num_units=8",
    "--config.inference.max_decode_length=8",
]
TASKS = ("translation", "g2p", "captions")


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    """Runs a command; returns its standard output, or the error line if it must fail."""

    def call(*words, status=0):
        assert main(list(map(str, words))) == status
        out, err = capsys.readouterr()
        return err.splitlines()[-1] if status else out

    return call


def test_configs_lists_every_recipe_with_its_extra_its_data_and_its_summary(run):
    lines = run("configs").splitlines()
    assert [line.split()[0] for line in lines] == ["name", *recipe_files()]
    by_name = {line.split()[0]: line for line in lines}
    assert re.fullmatch(r"g2p +g2p +cmudict +Pronounces English words: .*", by_name["g2p"])
    assert re.match(r"wmt16_en_de +tfds +wmt16_translate/de-en ", by_name["wmt16_en_de"])
    assert re.match(r"image_captioning +images +your files ", by_name["image_captioning"])
    assert re.match(r"toy_copy +toy_copy +", by_name["toy_copy"])
    assert all(line.endswith(".") for line in lines[1:])


def test_configs_prints_the_directory_of_the_recipes(run):
    assert run("configs", "--directory") == f"{recipe_files()['g2p'].parent}\n"


def test_config_prints_the_same_values_as_yaml_and_as_json(run):
    flags = ["--config=g2p", "--config.batch_size=7", "--config.buckets=5,9"]
    values = json.loads(run("config", *flags, "--json"))
    assert values["batch_size"] == 7
    text = run("config", *flags)
    assert yaml.safe_load(text) == values
    assert "# Number of examples in a training batch. (a whole number, 1 to 65536)\n" in text
    assert max(map(len, text.splitlines())) <= 100


def test_config_shows_every_recipe(run):
    for name in recipe_files():
        loaded = resolve(load_config(name)).to_dict()
        assert yaml.safe_load(run("config", f"--config={name}")) == json.loads(json.dumps(loaded))


@pytest.mark.parametrize("command", ["train", "config"])
def test_without_a_configuration_the_error_names_the_commands_that_help(run, command):
    line = run(command, status=2)
    assert line.startswith("error: --config: name a configuration, as in --config=toy_reverse; ")
    assert "`seq2seq-jax configs`" in line and "`seq2seq-jax init`" in line


@pytest.mark.parametrize(
    "task",
    ["g2p", *(pytest.param(task, marks=pytest.mark.slow) for task in TASKS if task != "g2p")],
)
def test_the_configuration_of_a_sample_trains_without_an_edit(run, task, directory):
    assert run("init", f"--task={task}") == f"my_{task}.py\n"
    encoder = (
        [] if task == "captions" else ["--config.encoder.params.rnn_cell.cell_params.num_units=8"]
    )
    run("train", f"--config=my_{task}.py", *SHORT, *encoder)
    assert any("dev/log_perplexity" in line for line in read_metrics(f"runs/my_{task}"))


@pytest.mark.parametrize("task", TASKS)
def test_no_dev_example_of_a_sample_of_texts_is_in_its_training_set(run, task, directory):
    run("init", f"--task={task}")
    train, dev = (
        (directory / f"{task}_sample" / f"{split}.tsv").read_text("utf-8").splitlines()
        for split in ("train", "dev")
    )
    assert len(train) > 500 and len(dev) >= 60
    assert not set(train) & set(dev)


def test_init_overwrites_nothing(run, directory):
    run("init", "--task=g2p")
    before = {file: file.read_bytes() for file in directory.rglob("*") if file.is_file()}
    assert run("init", "--task=g2p", status=2) == (
        "error: my_g2p.py: exists, and init overwrites nothing; use --output=my_g2p_2.py"
    )
    assert run("init", "--task=g2p", "--output=other.py", status=2).startswith(
        "error: g2p_sample: exists, and init overwrites nothing; "
    )
    assert {file: file.read_bytes() for file in before} == before
    assert not (directory / "other.py").exists()


@pytest.mark.parametrize("task", TASKS)
def test_init_where_nothing_can_be_written_is_one_line(run, task, directory):
    (directory / "file").write_text("", encoding="utf-8")
    line = run("init", f"--task={task}", "--output=file/my.py", status=2)
    assert line.startswith(f"error: file/{task}_sample: cannot be written (")


def test_init_writes_a_configuration_for_own_tables(run, directory):
    (directory / "train.tsv").write_text("source\ttarget\na b\tc d\n", encoding="utf-8")
    (directory / "dev.csv").write_text('"a, b",c\n', encoding="utf-8")
    flags = ["--train-file=train.tsv", "--dev-file=dev.csv", "-o", "mine.py"]
    assert run("init", "--task=translation", *flags) == "mine.py\n"
    config = resolve(load_config("mine.py"))
    assert config.input_pipeline_train.params.header
    assert not config.input_pipeline_dev.params.header
    assert config.eval_every_n_steps > 0
    assert sorted(path.name for path in directory.iterdir()) == ["dev.csv", "mine.py", "train.tsv"]


def test_names_with_quotes_make_a_valid_configuration(run, directory):
    name = 'a """ \\ b'
    (directory / f"{name}.tsv").write_text("a\tb\n", encoding="utf-8")
    run("init", "--task=g2p", f"--train-file={name}.tsv", f"--output={name}.py")
    config = resolve(load_config(f"{name}.py"))
    assert config.input_pipeline_train.params.files == f"{name}.tsv"


def test_without_a_dev_file_the_configuration_evaluates_nothing(run, directory):
    (directory / "train.tsv").write_text("a\tb\n", encoding="utf-8")
    run("init", "--task=g2p", "--train-file=train.tsv")
    assert resolve(load_config("my_g2p.py")).eval_every_n_steps == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dev-file=dev.tsv"], "--dev-file: needs a training set; use --train-file=FILE as well"),
        (["--train-file=none.tsv"], "none.tsv: cannot be read (No such file or directory)"),
        (["--output=mine.yml"], "--output: must be a Python file; got mine.yml; use mine.yml.py"),
        (["--output=a\nb.py"], "'a\\nb.py': has characters that cannot be printed; use"),
        (["--train-file=a\udcff.tsv"], "'a\\udcff.tsv': has characters that cannot be printed"),
        (["--config.seed=1"], "--config.seed: init writes a new configuration; change the file"),
    ],
)
def test_a_wrong_argument_of_init_writes_nothing(run, words, message, directory):
    assert run("init", "--task=g2p", *words, status=2).startswith(f"error: {message}")
    assert list(directory.iterdir()) == []
