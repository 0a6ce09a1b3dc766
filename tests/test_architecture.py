"""The drawing and the program of docs/architecture.md agree with the code."""

import ast
import os
import re
import subprocess
import sys
from collections import defaultdict

from tests.documented_commands import ROOT, blocks

PACKAGE = ROOT / "seq2seq_jax"
DRAWING = (ROOT / "docs" / "figures" / "packages.svg").read_text(encoding="utf-8")
BOXES = set(re.findall(r'data-box="(\w+)"', DRAWING))


def arrows():
    """Returns the pairs (from, to) of the drawing; a double-headed arrow is two pairs."""
    found = re.findall(r'<path data-from="(\w+)" data-to="(\w+)"( data-back="yes")?', DRAWING)
    return {(a, b) for a, b, _ in found} | {(b, a) for a, b, back in found if back}


def imports():
    """Returns the pairs of boxes of which the first imports the second."""
    found = set()
    for file in PACKAGE.rglob("*.py"):
        here = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{name.name}" for name in node.names]
            elif isinstance(node, ast.Import):
                names = [name.name for name in node.names]
            for name in names:
                package, *rest = name.split(".")
                if package == PACKAGE.name and rest and rest[0] != here:
                    found.add((here, rest[0]))
    return {(a, b) for a, b in found if {a, b} <= BOXES}


def test_every_package_has_a_box():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    modules = {path.stem for path in PACKAGE.glob("*.py")}

    assert packages <= BOXES <= packages | modules


def test_every_import_follows_the_arrows():
    successors = defaultdict(set)
    for a, b in arrows():
        successors[a].add(b)

    def reachable(box):
        seen, waiting = set(), [box]
        while waiting:
            new = successors[waiting.pop()] - seen
            seen |= new
            waiting += new
        return seen

    assert [(a, b) for a, b in imports() if b not in reachable(a)] == []


def test_every_arrow_is_an_import():
    by_name = {("cli", "commands")}  # the command line imports its commands by name

    assert arrows() - imports() <= by_name


def test_the_program_prints_the_shapes_that_the_page_shows(tmp_path):
    page = ROOT / "docs" / "architecture.md"
    (program,) = blocks(page, "python")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "shapes.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "shapes.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    (shown,) = blocks(page, "")
    assert [line.split() for line in done.stdout.splitlines()] == [
        line.split() for line in shown.splitlines()
    ]
