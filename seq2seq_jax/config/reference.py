"""The reference of all hyperparameters, written from their tables.

python -m seq2seq_jax.config.reference > docs/hyperparameters.md
"""

import json
from collections.abc import Iterator
from typing import Any

from seq2seq_jax.config.classes import SLOTS
from seq2seq_jax.config.defaults import MODELS
from seq2seq_jax.config.files import RESUMABLE
from seq2seq_jax.schema.keys import ClassList, ClassName, Key, Params, Table, describe_expected

_INTRODUCTION = """\
# Hyperparameters

Written by `python -m seq2seq_jax.config.reference > docs/hyperparameters.md` from
`seq2seq_jax/config/defaults.py`, the one place that knows a default. How
keys are set is told in [configuration.md](configuration.md).

A key with ↻ may be changed when a run goes on in its workdir, with all that is below it; besides
these, `num_epochs` of `input_pipeline_train.params`. Under `*.params` stands what the class beside
it takes: see the class.
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
_HEAD = ["| key | default | must be | meaning |", "|---|---|---|---|"]


def reference() -> str:
    """The whole reference, as Markdown."""
    lines = [_INTRODUCTION, "## The configuration", "", *_HEAD, *_model_rows()]
    for slot, title in _TITLES.items():
        lines += ["", f"## {title}"]
        for names, table in _groups(SLOTS[slot]):
            rows = [_row(*entry) for entry in _entries(table)]
            table_of_keys = [*_HEAD, *rows] if rows else ["No keys."]
            lines += ["", f"### {', '.join(names)}", "", *table_of_keys]
    return "\n".join(lines) + "\n"


def _model_rows() -> list[str]:
    """A row for each key of the models; several, with their model, where it is not the same."""
    by_key: dict[str, dict[str, Any]] = {}
    for model, table in MODELS.items():
        for key, entry in _entries(table):
            by_key.setdefault(key, {})[model] = entry
    rows = []
    for key, of_models in by_key.items():
        rows_of_key: dict[str, list[str]] = {}
        for model, entry in of_models.items():
            rows_of_key.setdefault(_row(key, entry), []).append(model)
        for row, models in rows_of_key.items():
            only = "" if len(models) == len(MODELS) else f"({', '.join(models)}) "
            rows.append(row.removesuffix("|") + only + "|")
    return rows


def _entries(table: Table, where: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and what they are."""
    for name, entry in table.items():
        if isinstance(entry, dict):
            yield from _entries(entry, f"{where}{name}.")
        else:
            yield f"{where}{name}", entry


def _row(key: str, entry: Any) -> str:
    if isinstance(entry, Key):
        spelled = "".join(f" Also `{alias}`." for alias in entry.aliases)
        cells = [_value(entry.default), describe_expected(entry), entry.meaning + spelled]
    elif isinstance(entry, ClassName):
        cells = [_value(entry.default), f"a class: {_link(entry.slot)}", entry.meaning]
    elif isinstance(entry, ClassList):
        default = _value(",".join(entry.default))
        cells = [default, f"classes with commas between them: {_link(entry.slot)}", entry.meaning]
    else:
        assert isinstance(entry, Params)
        here = ", ".join(f"`{name}` is {_value(value)}" for name, value in entry.defaults.items())
        cells = ["", f"keys of `{entry.of}`", f"Here {here}." if here else ""]
    free = any(key == name or key.startswith(f"{name}.") for name in RESUMABLE)
    cells = [cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells]
    return f"| `{key}`{' ↻' if free else ''} | {' | '.join(cells)} |"


def _groups(classes: dict[str, Table]) -> list[tuple[list[str], Table]]:
    """Classes that take the same keys stand together."""
    groups: list[tuple[list[str], Table]] = []
    for name, table in classes.items():
        same = next((names for names, other in groups if other == table), None)
        if same is None:
            groups.append(([name], table))
        else:
            same.append(name)
    return groups


def _value(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    return f"`{shown}`"


def _link(slot: str) -> str:
    if slot == "model":
        return ", ".join(SLOTS[slot])
    title = _TITLES[slot]
    return f"[{title}](#{title.lower().replace(' ', '-')})"


if __name__ == "__main__":
    print(reference(), end="")
