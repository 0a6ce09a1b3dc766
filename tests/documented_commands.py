"""Extracts the commands that the pages of the documentation show."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*(ROOT / "docs").glob("**/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"],
    key=lambda path: path.as_posix(),
)
_PROGRAMS = r"(?:\.venv/bin/)?(?:python|seq2seq-jax|make|pip)\b"
_ENDS = {"|", ";", "&&", "||"}


def blocks(page: Path, language: str) -> list[str]:
    """Returns the fenced blocks of a language."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return [block for name, block in found if name == language]


def command_lines(page: Path) -> Iterator[str]:
    """Yields complete command lines; continuations and quotes over several lines are joined."""
    for block in blocks(page, "bash"):
        yield from _whole_lines(block)
    for block in blocks(page, "console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                yield line[2:]
    for block in blocks(page, ""):  # some are commands, most are output
        if re.match(_PROGRAMS, block):
            yield from _whole_lines(block)


def simple_commands(line: str) -> list[list[str]]:
    """Returns the words of each part of a pipe or list, without redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    words = iter(lexer)
    for word in words:
        if word in _ENDS:
            parts.append([])
        elif word in {"<", ">", ">>", "2>"}:
            next(words)
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def our_arguments(words: list[str]) -> list[str] | None:
    """Returns the arguments for seq2seq-jax, or None if the program is another one."""
    if words[:2] == ["taskset", "-c"]:
        words = words[3:]
    program, *rest = words
    program = program.removeprefix(".venv/bin/")
    if program == "seq2seq-jax":
        return rest
    if program == "python" and rest[:2] == ["-m", "seq2seq_jax"]:
        return rest[2:]
    if program == "python" and rest[:1] == ["main.py"]:
        modes = [word for word in rest if word.startswith("--mode=")]
        mode = modes[0].removeprefix("--mode=") if modes else "train"
        return [mode, *(word for word in rest[1:] if word not in modes)]
    return None


def _whole_lines(block: str) -> Iterator[str]:
    waiting = ""
    for line in block.replace("\\\n", " ").splitlines(keepends=True):
        waiting += line
        try:
            empty = not shlex.split(waiting, comments=True)
        except ValueError:  # a quote is open
            continue
        if not empty:
            yield waiting.strip()
        waiting = ""
    assert not waiting, waiting
