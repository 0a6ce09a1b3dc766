"""The notebooks on Colab: their first cell in a fresh kernel, which has never seen the project."""

import json
import os
import re
import shutil
import subprocess
from importlib.metadata import distribution

import nbformat
import pytest
from nbclient import NotebookClient

from notebooks.execute import NOTEBOOKS
from seq2seq_jax.utils.installation import REPOSITORY
from tests.fresh_environment import (
    ROOT,
    SOURCES,
    FreshEnvironment,
    requirements,
    skip_without_setuptools,
)

NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
# JAX asks for google.colab as well, and imports its module `output`.
STAND_IN = """\
import sys, types
colab = types.ModuleType("google.colab")
colab.output = types.ModuleType("google.colab.output")
sys.modules["google.colab"] = colab"""
EXTRAS = frozenset({"g2p", "images"})


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A git repository with the files of this checkout."""
    skip_without_setuptools()
    folder = tmp_path_factory.mktemp("repository")
    for name in (*SOURCES, "README.md", "notebooks"):
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "A copy"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """The kernel of a fresh environment with the dependencies of the project, but without it."""
    packages = [*requirements("seq2seq-jax", EXTRAS), *requirements("ipykernel")]
    packages += [distribution("pip"), distribution("setuptools")]
    others = (found for found in packages if found.name != "seq2seq-jax")
    environment = FreshEnvironment(tmp_path / "venv", others)
    command = [str(environment.bin / "python"), "-m", "ipykernel_launcher", "-f"]
    specification = {
        "argv": [*command, "{connection_file}"],
        "display_name": "fresh",
        "language": "python",
    }
    folder = tmp_path / "kernels" / "fresh"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(specification), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    return "fresh"


def run_first_cell(name, repository, kernel, directory):
    """Runs the first code cell and the imports of a notebook, as on Colab."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    imports = re.findall(r"^(?:import|from) .*seq2seq_jax.*$", "\n".join(cells), re.MULTILINE)
    assert imports and REPOSITORY in cells[0]
    sources = [
        STAND_IN,
        cells[0].replace(REPOSITORY, str(repository)),
        "\n".join(imports),
        "import os, seq2seq_jax\nprint(seq2seq_jax.__file__)\nprint(os.getcwd())",
    ]
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, sources)])
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
    # The dependencies are there, and nothing is downloaded.
    environment |= {
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_CONFIG_FILE": os.devnull,
    }
    client = NotebookClient(notebook, kernel_name=kernel, timeout=300)
    done = client.execute(cwd=str(directory), env=environment)
    text = "".join(output.get("text", "") for output in done.cells[-1].outputs)
    return text.splitlines()


def check(name, repository, kernel, tmp_path):
    directory = tmp_path / "content"
    directory.mkdir()
    module, here = run_first_cell(name, repository, kernel, directory)
    assert module.startswith(str(tmp_path / "venv"))
    assert here == str(directory / "seq2seq-jax" / "notebooks")


def test_the_first_cell_of_a_notebook_installs_the_project_for_the_running_kernel(
    repository, kernel, tmp_path
):
    check("own_data", repository, kernel, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != "own_data"])
def test_the_first_cell_of_every_notebook_installs_the_project(name, repository, kernel, tmp_path):
    check(name, repository, kernel, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_opens_in_colab_from_the_address_of_the_repository(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    address = REPOSITORY.replace("https://", "https://colab.research.google.com/")
    address = address.replace("github.com", "github")
    assert f"]({address}/blob/main/notebooks/{name}.ipynb)" in notebook.cells[0].source


@pytest.mark.parametrize("name", NAMES)
def test_links_of_a_notebook_to_files_have_targets(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", target):
            assert (NOTEBOOKS / target.partition("#")[0]).is_file(), target
