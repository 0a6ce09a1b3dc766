"""Configurations in files: Python files that people write, JSON files that runs keep."""

import importlib.util
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config.recipes import LIST_RECIPES, find_recipe, recipe_files
from seq2seq_jax.config.resolution import restore
from seq2seq_jax.config.tf_seq2seq import SUFFIXES, read_tf_config
from seq2seq_jax.config.trust import Trust, check_trust
from seq2seq_jax.schema.names import did_you_mean
from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.integrity import SEAL, read_json_object, seal, verify_seal


def load_config(path: str | os.PathLike[str], trust_custom_code: Trust = False) -> ConfigDict:
    """Load a configuration that is not resolved yet.

    Args:
      path: A Python file with `get_config()`, or the name of a recipe, as in `g2p`. `FILE:TEXT`
        and `NAME:TEXT`, as in `nmt:large`, call `get_config(TEXT)`. Or YAML or JSON files of
        google/seq2seq, separated by commas.
      trust_custom_code: Whether YAML and JSON files may name classes from outside of this package,
        whose code then runs; or the names of those that they may name. A Python file may always.

    Returns:
      What `get_config()` returns, or what the files of google/seq2seq say.

    Raises:
      UserError: The file cannot be loaded, or names a class that is not trusted. The error names
        the file, the line that fails, or the key.
    """
    names = str(path).split(",")
    if all(name.endswith(SUFFIXES) for name in names):
        return read_tf_config(names, trust_custom_code)
    file, argument = split_argument(path)
    arguments = [] if argument is None else [argument]
    config = call_python_file(
        file, "get_config", "config file", ", or YAML", arguments, recipe_files()
    )
    if not isinstance(config, ConfigDict):
        kind = type(config).__name__
        raise UserError(str(path), f"get_config() must return a ConfigDict; got {kind}")
    return config


def split_argument(path: str | os.PathLike[str]) -> tuple[str, str | None]:
    """Split `FILE.py:TEXT` into the file and the argument of its function; None without one.

    The file of `NAME` and of `NAME:TEXT`, where NAME is that of a recipe, is the recipe's file.

    Example:
      >>> split_argument("configs/nmt.py:large")
      ('configs/nmt.py', 'large')
      >>> split_argument("configs/g2p.py")
      ('configs/g2p.py', None)
    """
    file, colon, argument = str(path).rpartition(":")
    if colon and file.endswith(".py"):
        return file, argument
    name, colon, argument = str(path).partition(":")
    if recipe := find_recipe(name):
        return str(recipe), argument if colon else None
    return str(path), None


def config_name(path: str | os.PathLike[str]) -> str:
    """Return the name of a configuration, which is also that of its default workdir.

    A file that is called config.py has the name of its directory.

    Args:
      path: The configuration, as for `load_config`.

    Example:
      >>> config_name("configs/nmt.py:large"), config_name("nmt:large")
      ('nmt_large', 'nmt_large')
      >>> config_name("attention.yml,train.yml")
      'attention'
      >>> config_name("experiments/emoji/config.py")
      'emoji'
    """
    text, argument = split_argument(str(path).split(",")[0])
    file = Path(text)
    name = (file.resolve().parent.name if file.stem == "config" else "") or file.stem
    return name + (f"_{argument}" if argument else "")


def call_python_file(
    path: str | os.PathLike[str],
    function: str,
    kind: str,
    others: str = "",
    arguments: Sequence[str] = (),
    names: Collection[str] = (),
) -> Any:
    """Call a function of a user's Python file.

    Args:
      path: The Python file.
      function: The function's name.
      kind: The kind of file, for error messages.
      others: What other kinds of file are accepted, for error messages.
      arguments: The arguments of the function.
      names: The names that can be given instead of a file.

    Returns:
      What the function returns.

    Raises:
      UserError: The file or the function fails. The error names the file, or the line that fails.
    """
    file = Path(path)
    if not file.is_file():
        near = [str(other) for other in file.parent.glob("*.py")]
        hint = did_you_mean(str(file), near) or did_you_mean(file.stem.split(":")[0], names)
        raise UserError(
            str(path), f"no such {kind}{hint or (f'; {LIST_RECIPES}' if names else '')}"
        )
    spec = importlib.util.spec_from_file_location(f"config_{file.stem}", file)
    if file.suffix != ".py" or spec is None or spec.loader is None:
        raise UserError(str(path), f"a {kind} is a Python file, NAME.py{others}")
    module = importlib.util.module_from_spec(spec)
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
        called = getattr(module, function, None)
        if not callable(called):
            raise UserError(str(path), f"has no function {function}()")
        _check_arguments(path, function, called, arguments)
        return called(*arguments)
    except UserError:
        raise
    except Exception as error:  # The file is the user's program: it may fail in any way.
        raise _failure(str(path), error) from error
    finally:
        sys.dont_write_bytecode = writes_bytecode


def _check_arguments(
    path: str | os.PathLike[str],
    name: str,
    function: Callable[..., object],
    arguments: Sequence[str],
) -> None:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        rule = f"use {path} alone" if arguments else f"use {path}:ARGUMENT"
        what = "takes no argument" if arguments else "needs an argument"
        raise UserError(str(path), f"{name}() {what}; {rule}") from None


def write_config(config: ConfigDict, path: str | os.PathLike[str]) -> None:
    """Write a configuration as JSON, with a checksum. The file is either complete or unchanged.

    Args:
      config: A configuration, usually a resolved one.
      path: The JSON file.
    """
    values = seal(json.loads(json.dumps(config.to_dict())))
    text = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    with atomic_replace(Path(path)) as partial:
        partial.write_text(text, encoding="utf-8")


def read_config(
    path: str | os.PathLike[str], trust: Trust = False, *, verify: bool = True
) -> ConfigDict:
    """Read the configuration that `write_config` wrote.

    Args:
      path: The JSON file.
      trust: Which custom classes it may name.
      verify: Whether to verify its checksum.

    Returns:
      The configuration. Values that equal the defaults do not count as written.

    Raises:
      DamagedFileError: The file is not as `write_config` wrote it.
      UserError: The file cannot be read, or names a custom class that is not trusted. The error
        names the file, the line that is wrong, or the key.
    """
    values = read_json_object(Path(path))
    check_trust(values, str(path), trust)
    if verify:
        verify_seal(values, str(path))
    values.pop(SEAL, None)
    try:
        return restore({name: _with_tuples(part) for name, part in values.items()})
    except ValueError as error:  # A key with a dot, if a file was edited or damaged.
        raise UserError(str(path), f"has a key that cannot be used: {error}") from error


def _failure(path: str, error: Exception) -> UserError:
    """Describe an exception in one line: the line of the config file that ran, and the message."""
    file = Path(path).resolve()
    if isinstance(error, SyntaxError) and Path(error.filename or "").resolve() == file:
        return UserError(f"{path}:{error.lineno}", f"SyntaxError: {error.msg}")
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).resolve() == file
    ]
    message = str(error)
    # ml_collections wraps the KeyError of an unknown key in an AttributeError.
    if isinstance(error, AttributeError) and error.args and isinstance(error.args[0], KeyError):
        message = f"unknown key {error.args[0].args[0]}"
    where = f"{path}:{lines[-1]}" if lines else path
    return UserError(where, " ".join(f"{type(error).__name__}: {message}".split()))


def _with_tuples(value: object) -> object:
    """Turn lists into tuples: JSON has no tuples, and a resolved configuration has no lists."""
    if isinstance(value, dict):
        return {name: _with_tuples(part) for name, part in value.items()}
    return tuple(_with_tuples(part) for part in value) if isinstance(value, list) else value
