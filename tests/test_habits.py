"""What a public project has next to its code: workflows, hooks, templates and the release."""

import configparser
import re

import pytest
import yaml

from docs import release
from seq2seq_jax.utils.installation import REPOSITORY
from tests.documented_commands import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_complete_and_calls_targets_of_the_makefile_only(path):
    workflow = load(path)
    assert {"name", True, "jobs", "permissions"} <= set(workflow)  # YAML reads `on` as True
    for job in workflow["jobs"].values():
        assert {"runs-on", "timeout-minutes", "steps"} <= set(job)
        assert job["steps"][0]["uses"].startswith("actions/checkout@v")
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
        else:
            program, target, *rest = step["run"].split()
            assert program == "make" and target in TARGETS
            assert rest in ([], ["PYTHON=python"])


def test_the_workflows_check_everything_on_each_python_and_system():
    workflow = load(ROOT / ".github" / "workflows" / "checks.yml")
    run = {step["run"].split()[1] for step in steps(workflow) if "run" in step}
    assert {"lint", "type", "test", "release", "docs"} <= run
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest"]
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    versions = re.findall(r"Python :: (3\.\d+)", setup["metadata"]["classifiers"])
    assert matrix["python"] == versions


def test_the_hooks_are_local_and_call_targets_of_the_makefile():
    for repository in load(ROOT / ".pre-commit-config.yaml")["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            program, target = hook["entry"].split()
            assert program == "make" and target in TARGETS
            assert hook["language"] == "system" and not hook["pass_filenames"]


@pytest.mark.parametrize("name", ["bug_report", "question"])
def test_a_template_of_an_issue_asks_for_the_versions_and_the_report_of_the_run(name):
    path = ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml"
    template = load(path)
    assert {"name", "description", "body"} <= set(template)
    identifiers = [field["id"] for field in template["body"]]
    assert len(identifiers) == len(set(identifiers))
    text = path.read_text(encoding="utf-8")
    assert "seq2seq-jax --version" in text
    assert "seq2seq-jax inspect --workdir=" in text


def test_the_address_of_the_repository_is_replaced_everywhere(tmp_path):
    colab = "https://colab.research.google.com/github/OWNER/seq2seq-jax/blob/main/x.ipynb"
    texts = {"a.py": f'A = "{REPOSITORY}"\n', "b.md": f"[c]({colab})\n", "c.md": "nothing\n"}
    files = [tmp_path / name for name in texts]
    for file, text in zip(files, texts.values(), strict=True):
        file.write_text(text, encoding="utf-8")
    changed = release.write_address("https://github.com/ada/s2s.git", files)
    assert changed == files[:2]
    assert files[0].read_text() == 'A = "https://github.com/ada/s2s"\n'
    assert "/github/ada/s2s/blob/main/x.ipynb" in files[1].read_text()


@pytest.mark.parametrize("address", ["", "ada", "http://github.com/ada/s2s", "https://github.com"])
def test_a_wrong_address_changes_nothing(address, tmp_path):
    file = tmp_path / "a"
    file.write_text(REPOSITORY)
    with pytest.raises(ValueError, match="must be an address such as"):
        release.write_address(address, [file])
    assert file.read_text() == REPOSITORY


def test_a_release_is_not_ready_while_the_address_is_a_placeholder(monkeypatch):
    monkeypatch.setattr(release, "PUBLISHED", False)
    assert any("make address" in obstacle for obstacle in release.find_obstacles())
