"""Checks the commands of all pages: flags, keys and paths exist, and quick commands are executed.

Generated pages must equal the output of their commands.
"""

import argparse
import ast
import importlib.util
import re
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import pytest
import yaml

import seq2seq_jax
from docs.commands_page import commands_reference
from seq2seq_jax import cli
from seq2seq_jax.config import (
    check_training,
    config_name,
    default_config,
    load_config,
    resolve,
)
from seq2seq_jax.config.recipes import find_recipe
from seq2seq_jax.utils import installation
from tests.documented_commands import (
    PAGES,
    ROOT,
    blocks,
    command_lines,
    our_arguments,
    simple_commands,
)

DOCS = ROOT / "docs"
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
# Programs of others that pages use. Add a program here when a page needs it.
PROGRAMS = {
    "awk",
    "cat",
    "cd",
    "echo",
    "grep",
    "head",
    "iconv",
    "mkdir",
    "paste",
    "pip",
    "printf",
    "sed",
    "sha256sum",
    "tensorboard",
    "zcat",
}
REPOSITORY_PATHS = ("configs/", "docs/", "experiments/", "notebooks/", "seq2seq_jax/", "tests/")
# Pages whose commands need custom classes; the named test executes all of them.
RUN_ELSEWHERE = {"docs/extending.md": "test_extending.py"}


# Pages -------------------------------------------------------------------------------------------


def test_the_page_of_commands_is_up_to_date():
    written = (DOCS / "commands.md").read_text(encoding="utf-8")

    command = "python -m docs.commands_page > docs/commands.md"
    assert written == commands_reference(), f"use {command}"


def test_every_page_is_in_the_navigation_once():
    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        parts = entry.values() if isinstance(entry, dict) else entry
        return [page for part in parts for page in pages(part)]

    listed = pages(_site_configuration()["nav"])

    there = [path.relative_to(DOCS).as_posix() for path in DOCS.glob("**/*.md")]
    assert sorted(listed) == sorted(there)


def _site_configuration():
    """Return mkdocs.yml; BaseLoader accepts the tag of environment variables."""
    return yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def test_the_site_links_to_the_repository_only_if_it_has_an_address():
    variable, fallback = _site_configuration()["repo_url"]
    assert fallback == ""
    assert variable == "SITE_REPOSITORY"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    program = re.search(r"^READ_ADDRESS = (.*)", makefile, flags=re.MULTILINE)[1]
    address: list = []
    exec(program, {"print": address.append})
    assert address == [installation.REPOSITORY if installation.PUBLISHED else ""]
    assert makefile.count("$(SITE) zensical") == makefile.count(" zensical ") == 2


def test_the_page_of_the_python_api_documents_every_public_name():
    text = (DOCS / "api" / "index.md").read_text(encoding="utf-8")

    documented = re.findall(r"^::: seq2seq_jax\.(\w+)$", text, flags=re.MULTILINE)
    assert sorted(documented) == sorted(seq2seq_jax.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_links_to_files_have_targets(name):
    page = ROOT / name
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:|#", target):
            continue
        path = (page.parent / target.partition("#")[0]).resolve()
        assert path.exists(), target
        # The site has nothing but docs/.
        assert page.is_relative_to(DOCS) <= path.is_relative_to(DOCS), target


@pytest.mark.parametrize("name", NAMES)
def test_texts_of_links_are_words_and_not_names_of_files(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    texts = re.findall(r"\[([^\]]*)\]\([^)\s]+\)", text)
    assert [one for one in texts if re.search(r"\.(md|html|ipynb)\b", one)] == []


def test_the_variation_between_seeds_is_that_of_the_table():
    text = (DOCS / "ablations.md").read_text(encoding="utf-8")
    claim = r"standard deviation over three seeds is ([\d.]+) to ([\d.]+) points"
    (stated,) = re.findall(claim, text)
    table = "".join(line for line in text.splitlines() if line.startswith("|"))
    measured = [float(number) for number in re.findall(r"± ([\d.]+)", table)]
    assert [float(number) for number in stated] == [min(measured), max(measured)]


def _texts_of_the_code() -> str:
    """All string literals of the package; the gaps of f-strings are empty."""
    texts = []
    for path in (ROOT / "seq2seq_jax").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                texts.append("".join(p.value for p in node.values if isinstance(p, ast.Constant)))
    return "\n".join(texts)


# Commands ----------------------------------------------------------------------------------------

_QUERIES = ("help", "--help", "--version")


@pytest.fixture(scope="module")
def runs():
    """The configuration of each workdir that a page trains."""
    found = {"runs/g2p": resolve(load_config(ROOT / "configs" / "g2p.py"))}
    for page in PAGES:
        if page.relative_to(ROOT).as_posix() in RUN_ELSEWHERE:
            continue
        for arguments in _ours_of(page):
            flags, overrides = _parse(arguments)
            if getattr(flags, "config", None):
                workdir = getattr(flags, "workdir", None)
                workdir = workdir or f"runs/{config_name(flags.config)}"
                found.setdefault(workdir, resolve(_config_file(flags.config), overrides))
    return found


@pytest.mark.parametrize("name", [name for name in NAMES if name not in RUN_ELSEWHERE])
def test_every_command_of_a_page_is_accepted(name, runs):
    for line in command_lines(ROOT / name):
        if _is_wrong_on_purpose(ROOT / name, line):
            continue
        for words in simple_commands(line):
            _check_paths(words)
            arguments = our_arguments(words)
            if arguments is not None and arguments[-1].endswith(_QUERIES):
                assert arguments[0] in {*cli.COMMANDS, *_QUERIES}, words
            elif arguments is not None:
                _check_ours(arguments, runs)
            else:
                _check_other(words)


def _ours_of(page):
    for line in command_lines(page):
        for words in simple_commands(line):
            arguments = our_arguments(words)
            if arguments is None or arguments[-1].endswith(_QUERIES):
                continue
            if not _is_wrong_on_purpose(page, line):
                yield [word for word in arguments if word != "..."]


def _is_wrong_on_purpose(page, line):
    """The wrong commands of the page on errors have a separate test."""
    return page.name == "troubleshooting.md" and line in _refused()


def _refused() -> dict[str, str]:
    """The commands of the page on errors, and the message that each must print."""
    page = DOCS / "troubleshooting.md"
    pairs = (block.splitlines() for block in blocks(page, "console"))
    return {command.removeprefix("$ "): message for command, message in pairs}


def _workdir(flags):
    """Returns the workdir of a command line; the first one of `serve`, without its name."""
    workdir = getattr(flags, "workdir", None)
    return workdir[0].rpartition("=")[2] if isinstance(workdir, list) else workdir


def _check_ours(arguments, runs):
    whole = "..." not in arguments
    flags, overrides = _parse([word for word in arguments if word != "..."])
    given = getattr(flags, "config", None)
    base = _config_file(given) if given else runs.get(_workdir(flags), runs["runs/g2p"])
    if getattr(flags, "tasks", None):
        overrides = [*overrides, ("tasks", flags.tasks)]
    config = resolve(base, overrides)
    has_table = getattr(flags, "train_file", None)  # It does not exist yet.
    if arguments[0] in ("train", "prepare") and whole and not has_table:
        check_training(config)


def _parse(arguments):
    """The flags and overrides of a command, without the overrides that ask for a list of keys."""
    flags, overrides = cli.parse_arguments(arguments)
    return flags, [(key, text) for key, text in overrides if key.split(".")[-1] != "help"]


def _config_file(path):
    if (ROOT / path.partition(":")[0]).is_file():
        return load_config(ROOT / path)
    if find_recipe(path.partition(":")[0]):
        return load_config(path)
    if written := re.fullmatch(r"my_(translation|g2p|inflection|captions)\.py", path):  # by `init`
        with tempfile.TemporaryDirectory() as directory:
            cli.main(["init", f"--task={written[1]}", f"--output={directory}/{path}"])
            return load_config(f"{directory}/{path}")
    if path.endswith((".yml", ".yaml")):
        return default_config("AttentionSeq2Seq")
    for page in PAGES:
        for block in blocks(page, "python"):
            if block.startswith(f"# {path}\n"):
                names: dict = {}
                exec(compile(block, path, "exec"), names)
                return names["get_config"]()
    assert path.isupper(), f"{path} is on no page and in no folder"  # FILE stands for the reader's
    return load_config(ROOT / "configs" / "tiny.py")


def _check_paths(words):
    for word in words:
        path = word.rpartition("=")[2].partition(":")[0]
        if path.startswith(REPOSITORY_PATHS):
            assert list(ROOT.glob(path)) or path == "docs/", word


def _check_other(words):
    program, *rest = words
    program = program.removeprefix(".venv/bin/")
    if program == "make":
        targets = re.findall(
            r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE
        )
        assert {word for word in rest if "=" not in word} <= set(targets), words
    elif program == "python" and rest[:1] == ["-m"]:
        _check_module(rest[1], rest[2:])
    elif program == "python" and rest[:1] == ["-c"]:
        compile(rest[1], "<command>", "exec")
    elif program == "python":
        assert any(f"# {rest[0]}\n" in block for page in PAGES for block in blocks(page, "python"))
    elif "=" not in program:  # setting a variable is no program
        assert program in {*PROGRAMS, "."}, words


class _ParsedError(Exception):
    """Raised instead of running a module, when its arguments have been accepted."""


def _check_module(name, arguments):
    assert importlib.util.find_spec(name), name
    if not name.startswith("seq2seq_jax") or not arguments:
        return
    parse = argparse.ArgumentParser.parse_args

    def parse_only(self, args=None, namespace=None):
        parse(self, args, namespace)
        raise _ParsedError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(_ParsedError):
        patch.delitem(sys.modules, f"{name}.__main__", raising=False)  # as in a fresh process
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
        patch.setattr(sys, "argv", [name, *(word.strip("[]") for word in arguments)])
        runpy.run_module(name, run_name="__main__", alter_sys=True)


# Runs --------------------------------------------------------------------------------------------

# Flags that make the models of the pages tiny and their training short.
SMALL = [
    "--config.embedding.dim=4",
    "--config.encoder.params.rnn_cell.cell_params.num_units=4",
    "--config.attention.params.num_units=4",
    "--config.decoder.params.rnn_cell.cell_params.num_units=4",
    "--config.train_steps=2",
    "--config.eval_every_n_steps=2",
    "--config.buckets=24",
    "--config.inference.max_decode_length=8",
    "--config.log_every_n_steps=1",
]
ONE_SHAPE = ["--config.buckets=22"]  # one bucket, so that there is little to compile
FEW = ["--train=40", "--dev=4", "--test=4", "--max-length=6"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty directory with the recipes; compilation runs with few optimizations."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    jax.config.update("jax_disable_most_optimizations", True)
    yield tmp_path
    jax.config.update("jax_disable_most_optimizations", False)


def run_page(name, folder, *, skip=(), smaller=SMALL):
    """Runs all commands of a page in their order, this package's commands in this process.

    Args:
      name: The page in docs/.
      folder: The directory in which the commands run.
      skip: Prefixes of command lines that are not run.
      smaller: Flags that are added to each training.
    """
    page = DOCS / name
    for block in blocks(page, "python"):
        first = block.partition("\n")[0]
        if re.fullmatch(r"# \w+\.py", first):
            (folder / first[2:]).write_text(block, encoding="utf-8")
    for line in command_lines(page):
        if not line.startswith(tuple(skip) or ("\0",)):
            run_line(line, folder, smaller)


def run_line(line, folder, smaller=()):
    """Runs a command line; returns its standard output."""
    parts = [(words, our_arguments(words)) for words in simple_commands(line)]
    if not any(arguments or words[0] == "python" for words, arguments in parts):
        return subprocess.run(line, shell=True, check=True, stdout=subprocess.PIPE).stdout
    given = re.search(r" < (\S+)", line)
    written = Path(given[1]).read_bytes() if given else b""
    for words, arguments in parts:
        if arguments:
            written = run_ours(arguments, written, folder, smaller)
        elif words[0] == "python":
            runpy.run_path(words[1], run_name="__main__")
        else:
            written = subprocess.run(
                words, check=True, input=written, stdout=subprocess.PIPE
            ).stdout
    target = re.search(r" > (\S+)$", line)
    if target:
        Path(target[1]).write_bytes(written)
    return written


def run_ours(arguments, given, folder, smaller):
    if arguments[0] == "train" and any(word.startswith("--config=") for word in arguments):
        without_dev = "--config.eval_every_n_steps=0" in arguments
        arguments = [*arguments, *smaller, *(["--config.eval_every_n_steps=0"] * without_dev)]
    if arguments[0] == "toy":
        arguments = [*arguments, *FEW]
    (folder / "stdin").write_bytes(given)
    with (
        pytest.MonkeyPatch.context() as patch,
        open(folder / "stdin", encoding="utf-8") as stdin,
        open(folder / "stdout", "w", encoding="utf-8") as stdout,
    ):
        patch.setattr(sys, "stdin", stdin)
        patch.setattr(sys, "stdout", stdout)
        assert cli.main(arguments) == 0, arguments
    return (folder / "stdout").read_bytes()


def test_every_command_of_the_page_on_own_data_runs(folder):
    run_page("own_data.md", folder)

    assert (folder / "answers.txt").read_text("utf-8").count("\n") == 4
    assert (folder / "runs" / "table" / "config.json").is_file()
    assert (folder / "runs" / "my_dates" / "config.json").is_file()


def test_a_run_that_was_stopped_ends_with_the_digest_of_one_that_was_not(folder):
    no_dev = [*ONE_SHAPE, "--config.eval_every_n_steps=0"]
    run_page("workdir.md", folder, skip=["seq2seq-jax inspect"], smaller=no_dev)

    lines = [line for line in command_lines(DOCS / "workdir.md") if "inspect" in line]
    assert [line.rpartition(" | ")[2] for line in lines] == ["grep digest"] * 2
    digests = [run_line(line, folder) for line in lines]
    # The page has trained one of the runs to step 30.
    assert digests[0] != digests[1]
    run_line("seq2seq-jax train --workdir=runs/parts --config.train_steps=30", folder)
    assert run_line(lines[1], folder) == digests[0]
    assert digests[0].startswith(b"digest")


def test_the_error_messages_of_the_page_are_those_of_the_program(folder, capsys):
    for line in command_lines(DOCS / "troubleshooting.md"):
        if line not in _refused():
            run_line(line, folder)
    capsys.readouterr()
    for command, message in _refused().items():
        for words in simple_commands(command):
            assert cli.main(our_arguments(words)) == 2, command
        said = capsys.readouterr().err.splitlines()[-1]
        wanted = ".*".join(map(re.escape, message.split("...")))
        assert re.fullmatch(wanted, said), f"{command}\n{said}"


def test_every_message_that_the_page_lists_is_in_the_code():
    code = _texts_of_the_code()
    listed = (
        (DOCS / "troubleshooting.md").read_text(encoding="utf-8").partition("## All messages")[2]
    )
    rows = [line.split(" | ")[0] for line in listed.splitlines() if line.startswith("| `")]
    messages = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
    assert len(messages) > 80
    for message in messages:
        _, _, what = message.partition(": ")
        pieces = [piece.strip(" ,;()?") for piece in re.split(r"\.\.\.|: |FILE", what or message)]
        assert [piece for piece in pieces if len(piece) > 3 and piece not in code] == [], message


@pytest.mark.parametrize(
    ("name", "smaller"),
    [
        ("configuration.md", ONE_SHAPE),
        ("tuning.md", ONE_SHAPE),
        ("from_pytorch.md", SMALL),
        ("from_yoyodyne.md", SMALL),
    ],
)
def test_every_command_of_a_page_with_a_tiny_model_runs(name, smaller, folder):
    run_page(name, folder, smaller=smaller)


@pytest.mark.slow
def test_every_command_of_the_page_on_subwords_runs(folder):
    readers_files = [line for line in command_lines(DOCS / "subwords.md") if ".bpe." in line]
    run_page("subwords.md", folder, skip=readers_files)


@pytest.mark.slow
def test_every_command_of_the_tutorial_and_of_the_page_on_inference_runs(folder):
    for name in ("words.txt", "test.de", "sources", "targets"):
        (folder / name).write_text("transformer\nquidditch\n", encoding="utf-8")
    (folder / "pairs.tsv").write_text("transformer\tT R AE N Z\n", encoding="utf-8")
    # As many checkpoints as an average needs.
    five = ["train_steps=5", "eval_every_n_steps=5", "save_checkpoints_steps=1"]
    smaller = [*SMALL, *(f"--config.{setting}" for setting in five)]
    run_page("tutorial.md", folder, smaller=smaller)
    for name in ("mine", "seed0", "seed1", "seed2"):
        (folder / "runs" / name).symlink_to("g2p")
    run_page("inference.md", folder)

    assert (folder / "phones.txt").read_text("utf-8").count("\n") == 2
    assert (folder / "attention" / "attention_scores.npz").is_file()
