"""Runs notebooks, each in a fresh kernel and an empty folder, and stores what they show.

    python notebooks/execute.py getting_started

Without a name it is all of them.
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
    name: str, folder: Path, shorter: Mapping[str, str] | None = None
) -> nbformat.NotebookNode:
    """Runs a notebook as if it lay in FOLDER/notebooks, beside the project's configurations.

    Args:
      folder: an empty one.
      shorter: what in its cells is to be replaced, once, and by what.

    Returns:
      The notebook with its outputs.

    Raises:
      CellExecutionError: a cell fails.
    """
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    for old, new in (shorter or {}).items():
        (cell,) = [cell for cell in notebook.cells if old in cell.source]
        cell.source = cell.source.replace(old, new)
    (folder / "configs").symlink_to(ROOT / "configs")
    (folder / "notebooks").mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": _before(str(ROOT), "PYTHONPATH"),
        "PATH": _before(str(Path(sys.executable).parent), "PATH"),  # so that `!python` is this one
    }
    client = NotebookClient(notebook, timeout=1800, record_timing=False, coalesce_streams=True)
    return client.execute(cwd=str(folder / "notebooks"), env=environment)


def store(name: str) -> None:
    """Executes a notebook and writes it back with its outputs, or leaves it as it was."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = execute(name, Path(folder))
    for key in [key for key in notebook.metadata if key != "kernelspec"]:
        del notebook.metadata[key]  # the version of Python, say, of whoever ran it last
    path = NOTEBOOKS / f"{name}.ipynb"
    part = path.with_suffix(".part")
    part.write_text(f"{nbformat.writes(notebook, ensure_ascii=False)}\n", encoding="utf-8")
    os.replace(part, path)


def _before(first: str, variable: str) -> str:
    """What a variable with a list of folders is to be so that `first` comes first."""
    return os.pathsep.join([first, *filter(None, [os.environ.get(variable)])])


if __name__ == "__main__":
    for each in sys.argv[1:] or sorted(file.stem for file in NOTEBOOKS.glob("*.ipynb")):
        store(each)
        print(NOTEBOOKS / f"{each}.ipynb")
