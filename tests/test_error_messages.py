"""Each foreseeable mistake: one line on stderr that names it, status 2, and nothing written."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq_jax.cli import COMMANDS, load_command, main, make_parser, parse_arguments

ROOT = Path(__file__).parents[1]
TINY = f"--config={ROOT / 'configs' / 'tiny.py'}"
TRAIN = "--config.input_pipeline_train.params"
DEV = "--config.input_pipeline_dev.params"


@pytest.fixture
def refused(capsys):
    """Runs a command that must fail; returns the one line it says."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert status == 2
        assert out == ""
        assert err.count("\n") == 1 and err.endswith("\n"), err
        return err.rstrip("\n")

    return run


@pytest.fixture
def untrained(refused, tmp_path):
    """As `refused`, for a training that must not begin."""

    def run(*arguments):
        workdir = tmp_path / "run"
        line = refused("train", TINY, f"--workdir={workdir}", *arguments)
        assert not workdir.exists()
        return line

    return run


def write(path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def files(source, target, where=TRAIN):
    return [f"{where}.source_files={source}", f"{where}.target_files={target}"]


@pytest.fixture
def good(tmp_path):
    """A file that will do on either side."""
    return write(tmp_path / "good.txt", "a b\nc d\n")


# The command line itself ------------------------------------------------------------------------


def test_a_command_is_needed(refused):
    line = refused()
    assert line.startswith("error: command line: name a command as in `seq2seq-jax train`; ")
    assert line.endswith("`seq2seq-jax --help` lists the commands")


@pytest.mark.parametrize(
    ("written", "meant"), [("trian", "train"), ("evaluate", "eval"), ("beamtree", "beam-tree")]
)
def test_a_misspelled_command_is_reported_with_the_nearest_one(refused, written, meant):
    assert refused(written) == (
        f"error: command line: unknown command {written}, did you mean {meant}?"
        " `seq2seq-jax --help` lists the commands"
    )


def test_an_unknown_command_without_a_near_one_leads_to_the_help(refused):
    assert refused("xyzzy") == (
        "error: command line: unknown command xyzzy; `seq2seq-jax --help` lists the commands"
    )


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "--wordkir=x",
            "--wordkir: unknown flag, did you mean --workdir?; see seq2seq-jax train --help",
        ),
        ("--zzqq", "--zzqq: unknown flag; see seq2seq-jax train --help"),
        ("--train_steps=3", "--train_steps: unknown flag; use --config.train_steps=3"),
        ("--confg.train_steps=3", "--confg.train_steps: unknown flag; use --config.train_steps=3"),
        ("--model=BasicSeq2Seq", "--model: unknown flag; use --config.model=BasicSeq2Seq"),
        (
            "--model_params=x",
            "--model_params: unknown flag; use --config.model=CLASS, and --config.KEY=VALUE for"
            " each parameter",
        ),
        (
            "--learning-rate=1e-3",
            "--learning-rate: unknown flag; use --config.optimizer.learning_rate=1e-3",
        ),
        ("runs/attention", "command line: unexpected argument runs/attention"),
    ],
)
def test_an_unknown_argument_names_what_was_meant(refused, argument, message):
    assert refused("train", argument) == f"error: {message}"


WITHOUT_CONFIGURATION = [
    name for name in COMMANDS if hasattr(load_command(name), "refuse_overrides")
]


@pytest.mark.parametrize("name", WITHOUT_CONFIGURATION)
def test_a_command_without_a_configuration_refuses_keys_and_does_not_offer_any(name, capsys):
    words = shlex.split(load_command(name).EXAMPLES[0])
    words = words[: words.index("<")] if "<" in words else words
    for flag, said in (
        ("--config.optimizer.learning_rate=1e-3", "--config.optimizer.learning_rate: "),
        ("--train_steps=3", "--train_steps: unknown flag"),
    ):
        assert main([*words, flag]) == 2
        *_, line = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {said}")
    assert main_exits([name, "--help"]) == 0
    assert "--config.KEY" not in capsys.readouterr().out


def test_flags_of_import_tf_have_dashes_and_the_names_of_google_seq2seq():
    files = ["--params=a", "--variables=b"]
    for dash in "-_":
        flags = [f"--vocab{dash}source=c", f"--vocab{dash}target=d"]
        arguments, _ = parse_arguments(["import-tf", *files, *flags])
        assert (arguments.vocab_source, arguments.vocab_target) == ("c", "d")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_sentences_and_ends_with_two_examples_that_parse(name, capsys):
    command = load_command(name)
    for action in make_parser(name, command)._actions:
        if action.dest != "help":
            assert re.fullmatch(r"[A-Z].*\.", action.help, flags=re.DOTALL), action.help
    assert re.fullmatch(r"[A-Z].*\.", command.HELP)
    assert len(command.EXAMPLES) == 2
    for example in command.EXAMPLES:
        assert example.split()[0] == name
        words = shlex.split(example)
        parse_arguments(words[: words.index("<")] if "<" in words else words)
    assert main_exits([name, "--help"]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "examples:",
        *(f"  seq2seq-jax {example}" for example in command.EXAMPLES),
    ]


def main_exits(argv):
    with pytest.raises(SystemExit) as raised:
        main(argv)
    return raised.value.code


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], 0),
        (["train", "--help"], 0),
        (["infer", "--help"], 0),
        (["trian"], 2),
        (["train", "--wordkir=x"], 2),
        (["train", "--train_steps=3"], 2),
        (["train", TINY, "--config.optimizer.learning_rat=1"], 2),
        (["train", TINY, "--config.batch_size=0"], 2),
        (["train", TINY, "--config.encoder.class=NoEncoder"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_help_and_wrong_flags_are_answered_without_importing_jax(arguments, status):
    program = (
        "import sys\n"
        "from seq2seq_jax.cli import main\n"
        "try:\n"
        "    status = main(sys.argv[1:])\n"
        "except SystemExit as exit:\n"
        "    status = exit.code\n"
        "assert not {'jax', 'flax', 'optax', 'orbax'} & set(sys.modules), 'JAX is imported'\n"
        "sys.exit(status)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == status, done.stderr


def test_training_needs_a_configuration(refused):
    line = refused("train")
    assert line.startswith("error: --config: name a configuration, as in --config=toy_reverse; ")
    assert "`seq2seq-jax configs`" in line and "`seq2seq-jax init`" in line


def test_training_in_a_new_workdir_without_a_configuration_names_the_flag(refused, tmp_path):
    line = refused("train", f"--workdir={tmp_path}/new", "--config.train_steps=10")
    rule = "no run to resume is here; to start one, name a configuration, as in --config="
    assert line.startswith(f"error: {tmp_path}/new: {rule}")


@pytest.mark.parametrize("name", ["eval", "infer", "score", "inspect"])
def test_the_other_commands_need_a_workdir(refused, name, tmp_path):
    assert refused(name).startswith("error: --workdir: name the run; use --workdir=")
    line = refused(name, f"--workdir={tmp_path}/none")
    assert line == (
        f"error: {tmp_path}/none: no config.json here; train first, or name another workdir"
    )


def test_a_missing_config_file_names_the_nearest(refused):
    name = ROOT / "configs" / "atention.py"
    line = refused("train", f"--config={name}")
    assert line.startswith(f"error: {name}: no such config file, did you mean ")
    assert line.endswith("attention.py?")


# Keys and values --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        (
            "optimizer.learning_rat=1",
            "optimizer.learning_rat: unknown key learning_rat, did you mean learning_rate? valid: ",
        ),
        ("batch_size=many", 'batch_size: must be a whole number, 1 to 65536; got "many"'),
        ("batch_size=1.5", "batch_size: must be a whole number, 1 to 65536; got 1.5"),
        ("batch_size=0", "batch_size: must be a whole number, 1 to 65536; got 0"),
        ("source.reverse=maybe", 'source.reverse: must be true or false; got "maybe"'),
        (
            "encoder.params.rnn_cell.dropout_input_keep_prob=0",
            "encoder.params.rnn_cell.dropout_input_keep_prob: must be a number, 0.001 to 1; got 0",
        ),
        (
            "encoder.class=UnidirectionalRNEncoder",
            "encoder.class: unknown encoder UnidirectionalRNEncoder, did you mean"
            " UnidirectionalRNNEncoder? valid: UnidirectionalRNNEncoder, BidirectionalRNNEncoder,",
        ),
        ("encoder.class=no_such.Encoder", "encoder.class: cannot import no_such.Encoder: "),
        ("decoder.class=BasicDecoder", "decoder.class: BasicDecoder does not go with "),
        ("buckets=20,10", "buckets: must be text, ascending lengths with commas between them"),
        (
            "best_metric=bleu",
            "best_metric: must be a result of metrics, one of: log_perplexity, perplexity;"
            ' got "bleu"',
        ),
    ],
)
def test_a_wrong_override_is_told_at_its_key(untrained, flag, said):
    assert untrained(f"--config.{flag}").startswith(f"error: {said}")


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("optimizer.name=lbfgs", "optimizer.name: lbfgs cannot update from a schedule, gradients"),
        ("optimizer.name=rprop", "optimizer.name: rprop cannot update from a schedule, gradients"),
        (
            "vocab_min_frequency=2000000000",
            "vocab_min_frequency: is 2000000000, and no token of the training data occurs more",
        ),
        ("embedding.init_scale=1e308", "embedding.init_scale: must be a number, 0 to 100; got"),
        ("vocab_source=a\nb", r"vocab_source: a\nb: "),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(untrained, flag, said):
    assert untrained(f"--config.{flag}").startswith(f"error: {said}")


def test_states_that_do_not_fit_together_are_both_named(untrained):
    line = untrained("--config.bridge.class=PassThroughBridge")
    assert line.startswith(
        "error: bridge.class: PassThroughBridge needs equal states, but the encoder ends with"
        " ((c 16, h 16), (c 16, h 16)) and the decoder starts with (c 16, h 16);"
    )


def test_one_table_needs_vocabularies_of_one_size(untrained, tmp_path):
    lines = "".join(f"{i}\n" for i in range(20))
    small, large = write(tmp_path / "small", lines), write(tmp_path / "large", f"{lines}x\n")
    line = untrained(
        "--config.embedding.share=true",
        f"--config.vocab_source={small}",
        f"--config.vocab_target={large}",
    )
    assert line.startswith("error: embedding.share: ")
    assert "source has 23 and the target 24 tokens" in line


# Files ------------------------------------------------------------------------------------------


def test_a_missing_file(untrained, good, tmp_path):
    line = untrained(*files(good, tmp_path / "none"), *files(good, good, DEV))
    assert line == f"error: {tmp_path}/none: cannot be read (No such file or directory)"


def test_a_missing_dev_file(untrained, good, tmp_path):
    line = untrained(*files(good, good), *files(good, tmp_path / "none", DEV))
    assert line == f"error: {tmp_path}/none: cannot be read (No such file or directory)"


def test_files_to_train_on_ask_for_files_to_evaluate_on(untrained, good):
    line = untrained(*files(good, good))
    assert line.startswith("error: input_pipeline_dev.params.source_files: is empty; use the files")
    assert line.endswith("to train without one, eval_every_n_steps=0 or the flag --no-dev")


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_missing_vocabulary_is_reported_with_its_key(untrained, tmp_path, side):
    line = untrained(f"--config.vocab_{side}={tmp_path}/none")
    reason = "cannot be read (No such file or directory)"
    assert line == f"error: vocab_{side}: {tmp_path}/none: {reason}"


def test_a_missing_subword_model_is_reported_with_its_key(untrained, tmp_path):
    flags = "--config.subwords.kind=bpe", f"--config.subwords.source_model={tmp_path}/none"
    assert untrained(*flags).startswith(f"error: subwords.source_model: {tmp_path}/none: cannot be")


def test_files_of_unequal_length_are_told_with_both_counts(untrained, good, tmp_path):
    longer = write(tmp_path / "longer.txt", "a\nb\nc\nd\ne\n")
    line = untrained(*files(good, longer), *files(good, good, DEV))
    assert line.startswith(f"error: {good}: has 2 lines, but {longer} has 5; ")


@pytest.mark.parametrize("where", [TRAIN, DEV])
def test_a_line_that_is_not_utf8_is_told_by_file_and_line(untrained, good, tmp_path, where):
    bad = write(tmp_path / "bad.txt", b"a\n\xe4\n")
    line = untrained(
        *files(bad if where == TRAIN else good, good),
        *files(bad if where == DEV else good, good, DEV),
    )
    assert line.startswith(f"error: {bad}:2: not UTF-8 (byte 0xe4 at column 1);")


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_special_token_in_a_vocabulary_is_told_by_file_and_line(untrained, tmp_path, side):
    vocabulary = write(tmp_path / "vocab.txt", "0\n1\nSEQUENCE_END\n")
    line = untrained(f"--config.vocab_{side}={vocabulary}")
    assert line.startswith(f"error: {vocabulary}:3: SEQUENCE_END is a special token, ")


def test_a_corpus_of_empty_lines_is_told(untrained, good, tmp_path):
    empty = write(tmp_path / "empty.txt", "\n\n")
    line = untrained(*files(empty, good), *files(good, good, DEV))
    assert line.startswith("error: input_pipeline_train.params: no pair is left of the 2 ")


# A workdir --------------------------------------------------------------------------------------

ONE_STEP = [
    "--config.train_steps=1",
    "--config.eval_every_n_steps=0",
    "--config.encoder.class=UnidirectionalRNNEncoder",
    "--config.buckets=21",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "one_step"
    assert main(["train", TINY, f"--workdir={workdir}", *ONE_STEP]) == 0
    return workdir


def contents(workdir):
    return {path: path.read_bytes() for path in sorted(workdir.rglob("*")) if path.is_file()}


def test_another_configuration_in_the_workdir_is_refused_and_its_keys_named(refused, trained):
    before = contents(trained)
    line = refused(
        "train",
        TINY,
        f"--workdir={trained}",
        *ONE_STEP,
        "--config.optimizer.learning_rate=0.5",
        "--config.source.reverse=false",
    )
    assert line == (
        f"error: {trained}/config.json: this run was started with another configuration:"
        " source.reverse differs; use the old values, or start a new run by"
        f" --config.initialize_from={trained} with another --workdir"
    )
    assert contents(trained) == before


@pytest.mark.parametrize("name", ["train", "eval", "infer"])
def test_a_vocabulary_that_does_not_belong_to_the_checkpoint_is_refused(
    refused, trained, name, good
):
    vocabulary = trained / "vocab.target.txt"
    whole = vocabulary.read_text(encoding="utf-8")
    vocabulary.write_text(whole.partition("\n")[2], encoding="utf-8")
    before = contents(trained)
    try:
        line = refused(name, f"--workdir={trained}", *([f"--input={good}"] * (name == "infer")))
    finally:
        after = contents(trained)
        vocabulary.write_text(whole, encoding="utf-8")
    assert after == before
    assert line.startswith(f"error: {vocabulary}: differs from the file with which")


def test_a_model_that_does_not_fit_the_checkpoint_is_told(refused, trained, good):
    line = refused(
        "infer",
        f"--workdir={trained}",
        f"--input={good}",
        "--config.decoder.params.rnn_cell.cell_params.num_units=8",
    )
    assert line.startswith(f"error: {trained}/checkpoints/1: ")
    assert "in this configuration's model" in line


def test_a_checkpoint_that_is_not_there(refused, trained, good):
    line = refused(
        "infer", f"--workdir={trained}", f"--input={good}", "--config.inference.checkpoint=7"
    )
    assert line == (f"error: {trained}/checkpoints: no checkpoint of step 7, only of step 1")


def test_an_input_that_is_not_there(refused, trained, tmp_path):
    line = refused("infer", f"--workdir={trained}", f"--input={tmp_path}/none")
    assert line == f"error: {tmp_path}/none: cannot be read (No such file or directory)"


def test_lines_before_one_that_is_not_utf8_are_answered(trained, tmp_path, capsys):
    """The one mistake that is met only after the work has begun."""
    given = write(tmp_path / "in.txt", b"1 2\n\n\xff\n3\n")
    assert main(["infer", f"--workdir={trained}", f"--input={given}"]) == 2
    out, err = capsys.readouterr()
    assert out.count("\n") == 2
    assert out.endswith("\n\n")
    *progress, line = err.splitlines()  # A slow compilation is announced.
    assert line.startswith(f"error: {given}:3: not UTF-8 (byte 0xff at column 1);")
    assert all(text.startswith("Compiling ") for text in progress)
