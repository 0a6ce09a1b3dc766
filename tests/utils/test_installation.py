"""The versions, and the pip commands that add optional dependencies."""

import importlib.metadata
import json
import re

import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.utils import installation
from tests.documented_commands import ROOT


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Pretends that pip installed the package from an origin; the module is outside a checkout."""

    class Found:
        text = None

        def read_text(self, name):
            assert name == "direct_url.json"
            return self.text

    def pretend(origin):
        found = Found()
        found.text = origin and json.dumps(origin)
        monkeypatch.setattr(installation, "distribution", lambda name: found)
        module = tmp_path / "site-packages" / "seq2seq_jax" / "utils" / "installation.py"
        monkeypatch.setattr(installation, "__file__", str(module))
        return installation.install_command("images")

    return pretend


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'seq2seq-jax[images]'"),
        (
            {"url": "file:///wheels/s.whl", "archive_info": {}},
            "pip install 'seq2seq-jax[images] @ file:///wheels/s.whl'",
        ),
        (
            {"url": "file:///my%20code/s", "dir_info": {"editable": True}},
            "pip install --editable '/my code/s[images]'",
        ),
        (
            {"url": "https://example.org/s.git", "vcs_info": {"vcs": "git", "commit_id": "1"}},
            "pip install 'seq2seq-jax[images] @ git+https://example.org/s.git'",
        ),
    ],
)
def test_an_extra_is_installed_from_where_the_package_was(installed, origin, command):
    assert installed(origin) == command


def test_in_a_checkout_an_extra_is_installed_from_it():
    assert re.fullmatch(
        rf"pip install (--editable )?'{ROOT}\[g2p,images\]'",
        installation.install_command("g2p", "images"),
    )


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_flag_prints_the_versions_of_the_package_and_of_what_it_runs_on(flag, capsys):
    with pytest.raises(SystemExit) as ended:
        main([flag])
    assert ended.value.code == 0
    line = capsys.readouterr().out
    assert re.match(r"seq2seq-jax \d+\.\d+\.\d+ \(jax \d.*, flax \d.*, numpy \d.*, Python 3", line)
    assert importlib.metadata.version("jax") in line


def test_no_message_and_no_page_installs_from_an_index_that_lacks_the_package():
    files = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "notebooks").iterdir()]
    files += [*(ROOT / "seq2seq_jax").rglob("*.py"), *(ROOT / "configs").glob("*.py")]
    for file in files:
        if file.is_file() and file.name != "installation.py":
            found = re.findall(r"pip install [^\n]*", file.read_text(encoding="utf-8"))
            for line in (one for one in found if "--no-index" not in one):
                assert not re.search(r"(?<!/)seq2seq-jax(\[|$|'|`)(?![^\n]*@)", line), (file, line)
