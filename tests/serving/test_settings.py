"""The flags that limit a service."""

import argparse
import re

import pytest

from seq2seq_jax.commands.serve import add_arguments, named_workdirs
from seq2seq_jax.serving.settings import ServiceSettings, read_api_key, read_settings
from seq2seq_jax.utils.errors import UserError
from tests.documented_commands import ROOT


def settings_of(*flags):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return read_settings(parser.parse_args(flags))


def test_without_flags_the_settings_are_the_defaults():
    assert settings_of() == ServiceSettings()


def test_the_page_states_the_defaults():
    page = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `--([\w-]+)` \| `?([^|`]+)`? \|", page, re.MULTILINE)
    assert len(rows) == 11
    for flag, default in rows:
        assert settings_of(f"--{flag}={default}") == ServiceSettings(), flag


def test_no_option_is_allowed_if_the_list_is_empty():
    assert settings_of("--options=").allowed_options == []
    assert settings_of("--options=seed, sampling").allowed_options == ["seed", "sampling"]


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--timeout=never", "--timeout: must be a number, 0.001 to 86400; got "),
        ("--max-body=1e12", "--max-body: must be a whole number"),
        ("--options=beam", "--options: must be some of beam_width, n_best"),
    ],
)
def test_a_wrong_limit_is_refused(flag, message):
    with pytest.raises(UserError, match=re.escape(message)):
        settings_of(flag)


def test_the_api_key_comes_from_a_file_or_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("SEQ2SEQ_JAX_API_KEY", raising=False)
    assert read_api_key(None) is None
    (tmp_path / "key").write_text("from-the-file\n")
    assert read_api_key(str(tmp_path / "key")) == "from-the-file"
    monkeypatch.setenv("SEQ2SEQ_JAX_API_KEY", "from-the-environment")
    assert read_api_key(None) == "from-the-environment"
    for wrong in ("", "short", "with a space", "ümlaut-of-length"):
        monkeypatch.setenv("SEQ2SEQ_JAX_API_KEY", wrong)
        with pytest.raises(UserError, match="SEQ2SEQ_JAX_API_KEY: the API key must have"):
            read_api_key(None)


def test_a_workdir_can_have_a_name():
    assert named_workdirs(["a=runs/x", "runs/b", "runs/c=d"]) == {
        "a": "runs/x",
        "b": "runs/b",
        "c=d": "runs/c=d",
    }
    with pytest.raises(UserError, match="two models have the name b"):
        named_workdirs(["runs/b", "b=runs/c"])
