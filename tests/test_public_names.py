"""`import seq2seq_jax as s2s` offers what a notebook needs."""

import subprocess
import sys

import seq2seq_jax as s2s


def test_every_public_name_is_found_and_documented():
    for name in s2s.__all__:
        assert getattr(s2s, name).__doc__, name


def test_importing_the_package_imports_neither_jax_nor_flax():
    program = "import sys, seq2seq_jax; print([m for m in ('jax', 'flax') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error():
    try:
        s2s.no_such_name  # noqa: B018
    except AttributeError as error:
        assert "no_such_name" in str(error)
    else:
        raise AssertionError("seq2seq_jax.no_such_name was found")
