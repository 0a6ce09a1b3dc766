"""Executes notebooks, each in a fresh kernel and an empty directory, and stores their outputs.

    python notebooks/execute.py getting_started

Without a name, all notebooks are executed.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent
ROOT = NOTEBOOKS.parent


def execute(
    name: str, directory: Path, shorter: Mapping[str, str] | None = None
) -> nbformat.NotebookNode:
    """Execute a notebook in DIRECTORY/notebooks, with the project's recipes in DIRECTORY/configs.

    Args:
      name: The name of the notebook, without its extension.
      directory: An empty directory.
      shorter: Replacements in the code cells; each key occurs in exactly one cell.

    Returns:
      The notebook with its outputs.

    Raises:
      CellExecutionError: A cell fails.
    """
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    for old, new in (shorter or {}).items():
        (cell,) = [cell for cell in notebook.cells if old in cell.source]
        cell.source = cell.source.replace(old, new)
    (directory / "configs").symlink_to(ROOT / "configs")
    (directory / "notebooks").mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": _before(str(ROOT), "PYTHONPATH"),
        "PATH": _before(str(Path(sys.executable).parent), "PATH"),  # for `!python`
    }
    client = NotebookClient(notebook, timeout=1800, record_timing=False, coalesce_streams=True)
    return client.execute(cwd=str(directory / "notebooks"), env=environment)


def store(name: str) -> None:
    """Execute a notebook and store its outputs; if a cell fails, the file is unchanged."""
    with tempfile.TemporaryDirectory() as directory:
        notebook = execute(name, Path(directory))
    for key in [key for key in notebook.metadata if key != "kernelspec"]:
        del notebook.metadata[key]  # for example the Python version
    path = NOTEBOOKS / f"{name}.ipynb"
    part = path.with_suffix(".part")
    part.write_text(f"{nbformat.writes(notebook, ensure_ascii=False)}\n", encoding="utf-8")
    os.replace(part, path)


def _before(first: str, variable: str) -> str:
    """Return the value of a path variable with `first` prepended."""
    return os.pathsep.join([first, *filter(None, [os.environ.get(variable)])])


if __name__ == "__main__":
    for each in sys.argv[1:] or sorted(file.stem for file in NOTEBOOKS.glob("*.ipynb")):
        store(each)
        print(NOTEBOOKS / f"{each}.ipynb")
