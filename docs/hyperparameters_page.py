"""The page of all hyperparameters, written from the schema.

python -m docs.hyperparameters_page > docs/hyperparameters.md
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from seq2seq_jax.config.classes import ClassSchema, built_in_classes
from seq2seq_jax.config.resuming import RESUMABLE
from seq2seq_jax.schema.keys import (
    REQUIRED,
    UNSET,
    ClassList,
    ClassName,
    Key,
    Params,
    Table,
    describe_expected,
)

_INTRODUCTION = """\
# Hyperparameters

After this page you know each key of a configuration: its default, its allowed values and its
meaning. [Configuration](configuration.md) describes how to set keys. The page is generated from
the constructors of the classes by `python -m docs.hyperparameters_page >
docs/hyperparameters.md`.

A key with ↻, and every key below it, may change when a run resumes in its workdir, and so may
`num_epochs` of `input_pipeline_train.params`. The keys of `*.params` depend on the class next to
it and are listed in the section of its slot.

Whole numbers are at most 2147483647 (2^31 - 1) where the table states no other bound; other numbers
are finite 32-bit numbers. A key that another key switches off is reported when it is set.
"""
_TITLES = {
    "encoder": "Encoders",
    "bridge": "Bridges",
    "attention": "Attention",
    "decoder": "Decoders",
    "cell": "Cells",
    "optimizer": "Optimizers",
    "pipeline": "Input pipelines",
    "metric": "Metrics",
    "hook": "Hooks",
    "task": "Tasks",
}
_HEAD = ["| key | default | allowed values | meaning |", "|---|---|---|---|"]


def hyperparameter_page() -> str:
    """Return the whole page as Markdown."""
    lines = [_INTRODUCTION, "## The configuration", "", *_HEAD, *_model_rows()]
    for slot, title in _TITLES.items():
        lines += ["", f"## {title}"]
        for names, table in _groups(built_in_classes()[slot]):
            rows = [_row(*entry) for entry in _entries(table)]
            table_of_keys = [*_HEAD, *rows] if rows else ["No parameters."]
            lines += ["", f"### {', '.join(names)}", "", *table_of_keys]
    return "\n".join(lines) + "\n"


def _model_rows() -> list[str]:
    """Return a row for each key of the models; where models differ, one for each with its name."""
    models = built_in_classes()["model"]
    by_key: dict[str, dict[str, Any]] = {}
    for model, schema in models.items():
        for key, entry in _entries(schema.parameters):
            by_key.setdefault(key, {})[model] = entry
    rows = []
    for key, of_models in by_key.items():
        rows_of_key: dict[str, list[str]] = {}
        for model, entry in of_models.items():
            rows_of_key.setdefault(_row(key, entry), []).append(model)
        for row, names in rows_of_key.items():
            only = "" if len(names) == len(models) else f"({', '.join(names)}) "
            rows.append(row.removesuffix("|") + only + "|")
    return rows


def _entries(table: Table, where: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys of a table and their entries."""
    for name, entry in table.items():
        if isinstance(entry, dict):
            yield from _entries(entry, f"{where}{name}.")
        else:
            yield f"{where}{name}", entry


def _row(key: str, entry: Any) -> str:
    if isinstance(entry, Key):
        also = "".join(f" Also `{alias}`." for alias in entry.aliases)
        cells = [_default(entry.default), describe_expected(entry), entry.meaning + also]
    elif isinstance(entry, ClassName):
        cells = [_default(entry.default), f"a class: {_link(entry.slot)}", entry.meaning]
    elif isinstance(entry, ClassList):
        allowed = f"classes with commas between them: {_link(entry.slot)}"
        cells = [_default(",".join(entry.default)), allowed, entry.meaning]
    else:
        assert isinstance(entry, Params)
        here = ", ".join(f"`{name}` is {_default(value)}" for name, value in entry.defaults.items())
        here = f" Here, the default of {here}." if here else ""
        cells = ["", f"the parameters of `{entry.of}`", f"Parameters of that class.{here}"]
    free = any(key == name or key.startswith(f"{name}.") for name in RESUMABLE)
    cells = [cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells]
    return f"| `{key}`{' ↻' if free else ''} | {' | '.join(cells)} |"


def _groups(classes: Mapping[str, ClassSchema]) -> list[tuple[list[str], Table]]:
    """Group the names of classes that have the same parameters."""
    groups: list[tuple[list[str], Table]] = []
    for name, schema in classes.items():
        same = next((names for names, other in groups if other == schema.parameters), None)
        if same is None:
            groups.append(([name], schema.parameters))
        else:
            same.append(name)
    return groups


def _default(value: Any) -> str:
    if value is UNSET or value is REQUIRED:
        return "" if value is UNSET else "none, required"
    shown = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    return f"`{shown}`"


def _link(slot: str) -> str:
    if slot == "model":
        return ", ".join(built_in_classes()[slot])
    title = _TITLES[slot]
    return f"[{title}](#{title.lower().replace(' ', '-')})"


if __name__ == "__main__":
    print(hyperparameter_page(), end="")
