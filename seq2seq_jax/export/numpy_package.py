"""A pip-installable package that runs a model with NumPy alone."""

import keyword
import sys
from importlib import resources
from pathlib import Path

from seq2seq_jax.export.exported_model import ExportedModel
from seq2seq_jax.utils.atomic_io import atomic_directory
from seq2seq_jax.utils.errors import UserError

PROGRAM = "seq2seq_numpy.py"

_PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "1.0.0"
description = "{title}"
requires-python = ">=3.10"
dependencies = ["numpy>=1.24"]

[project.scripts]
{name} = "{name}.seq2seq_numpy:main"

[tool.setuptools]
packages = ["{name}"]

[tool.setuptools.package-data]
{name} = ["config.json", "model.safetensors"]
"""

_README = """\
# {name}

{title}. It runs with NumPy alone: `{name}/seq2seq_numpy.py` is the whole program.

```bash
pip install .
{name} --beam-width=5 --n-best=3 "a source text"
```

```python
import {name}

model = {name}.load()
print(model.predict(["a source text"])[0].text)
```

| property | value |
|---|---|
{table}

The options of the search are in `{name}/config.json` under `search`; `predict` takes each of them
as an argument, such as `beam_width=5`. A source longer than {max_len} tokens is truncated;
`source_tokens` of a prediction shows what the model saw.
"""


def write_numpy_package(exported: ExportedModel, path: Path) -> None:
    """Write the package atomically.

    Args:
      exported: The model.
      path: The directory to create; its name becomes the name of the package.

    Raises:
      UserError: The name is not a name for a package, or the directory exists or cannot be written.
    """
    name = package_name(path)
    about = exported.config["about"]
    rows = {
        **{key: str(value) for key, value in about.items() if key != "versions"},
        "search": ", ".join(f"{key}={value}" for key, value in exported.config["search"].items()),
        "source tokens": str(len(exported.config["source"]["tokens"])),
        "target tokens": str(len(exported.config["target"]["tokens"])),
        "written by": ", ".join(f"{key} {value}" for key, value in about["versions"].items()),
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    readme = _README.format(
        name=name,
        title=exported.title,
        table=table,
        max_len=exported.config["source"]["max_seq_len"],
    )
    package = {
        "__init__.py": f'"""{exported.title}."""\n\nfrom .seq2seq_numpy import Model, load\n\n'
        '__all__ = ["Model", "load"]\n',
        "__main__.py": "from .seq2seq_numpy import main\n\nmain()\n",
        PROGRAM: program_text(PROGRAM),
    }
    with atomic_directory(path) as directory:
        (directory / name).mkdir()
        (directory / "README.md").write_text(readme, encoding="utf-8")
        pyproject = _PYPROJECT.format(name=name, title=exported.title)
        (directory / "pyproject.toml").write_text(pyproject, encoding="utf-8")
        for file, text in package.items():
            (directory / name / file).write_text(text, encoding="utf-8")
        (directory / name / "config.json").write_bytes(exported.config_json)
        (directory / name / "model.safetensors").write_bytes(exported.weights)


def package_name(path: Path) -> str:
    """Return the name of the package for an output directory.

    Args:
      path: The directory.

    Returns:
      Its last part, with underscores for hyphens and dots.

    Raises:
      UserError: That is not a name, or hides another module.

    Example:
      >>> package_name(Path("exports/g2p-english"))
      'g2p_english'
    """
    name = path.name.replace("-", "_").replace(".", "_")
    taken = name in sys.stdlib_module_names or name in ("numpy", "seq2seq_jax", "setuptools")
    is_name = name.isidentifier() and name.isascii() and name[0].isalpha()
    if not is_name or keyword.iskeyword(name) or taken:
        what = f"its last part is the name of a Python package, and {path.name!r} cannot be one"
        raise UserError("--output", f"{what}; use a name such as my_model")
    return name


def program_text(file: str) -> str:
    """Return the text of a program of this package that is copied into exports.

    Args:
      file: The name of the file.
    """
    return (resources.files("seq2seq_jax.export") / file).read_text(encoding="utf-8")
