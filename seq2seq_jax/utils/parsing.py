"""JSON and YAML from files of unknown origin: any content results in values or in one error."""

import json
from collections.abc import Iterable
from typing import Any

import yaml

from seq2seq_jax.utils.errors import UserError

MAX_YAML_NODES = 10_000
"""Values in a YAML file, where each use of an alias counts all values that it stands for."""

MAX_YAML_DEPTH = 50


def parse_json(content: str | bytes, file: str) -> Any:
    """Parse JSON.

    Args:
      content: The content of the file.
      file: Its name, for errors.

    Returns:
      The value.

    Raises:
      UserError: It is not JSON, is nested too deeply, or has a number with thousands of digits.
    """
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise UserError(f"{file}:{error.lineno}", f"not JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise UserError(file, "not UTF-8") from error
    except (RecursionError, ValueError) as error:
        deep = isinstance(error, RecursionError)
        reason = "is nested too deeply" if deep else "has a number with too many digits"
        raise UserError(file, f"not usable JSON: it {reason}") from error


def parse_yaml(text: str, file: str) -> Any:
    """Parse YAML that consists of mappings, lists, texts, numbers and booleans.

    Args:
      text: The content of the file.
      file: Its name, for errors.

    Returns:
      The value.

    Raises:
      UserError: It is not YAML; it has more than `MAX_YAML_NODES` values, aliases included, or is
        nested more than `MAX_YAML_DEPTH` deep; or a tag asks for another type.
    """
    try:
        _check_size(yaml.parse(text, yaml.SafeLoader), file)
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}:{mark.line + 1}" if mark else file
        raise UserError(where, f"not YAML: {_one_line(error.problem)}") from error
    except yaml.reader.ReaderError as error:
        where = f"{file}:{text[: error.position].count(chr(10)) + 1}"
        reason = f"has the control character U+{error.character:04X}"
        raise UserError(where, f"not YAML: {reason}") from error
    # The constructors of numbers and dates raise these for texts of another form.
    except (yaml.YAMLError, ValueError, TypeError, LookupError, OverflowError) as error:
        reason = f"a tag or a number does not fit its value ({_one_line(error)})"
        raise UserError(file, f"not YAML: {reason}") from error
    except AttributeError as error:
        raise UserError(file, "not YAML: a tag does not fit its value") from error


def _check_size(events: Iterable[Any], file: str) -> None:
    """Raise UserError if there are too many values, or if a value contains itself."""
    anchors: dict[str, int | None] = {}  # How many values each holds; None while it is open.
    open_groups: list[tuple[str | None, int]] = []
    count = 0
    for event in events:
        where = f"{file}:{event.start_mark.line + 1}" if event.start_mark else file
        if isinstance(event, yaml.AliasEvent):
            size = anchors.get(event.anchor, 0)
            if size is None:
                raise UserError(where, f"the value of &{event.anchor} contains itself")
            count += size
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor:
                anchors[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            open_groups.append((event.anchor, count))
            count += 1
            if event.anchor:
                anchors[event.anchor] = None
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_groups.pop()
            if anchor:
                anchors[anchor] = count - before
        if len(open_groups) > MAX_YAML_DEPTH:
            raise UserError(where, f"is nested more than {MAX_YAML_DEPTH} levels deep")
        if count > MAX_YAML_NODES:
            raise UserError(where, f"has more than {MAX_YAML_NODES:,} values, aliases included")


def _one_line(reason: object) -> str:
    return " ".join(str(reason).split())[:200]
